// A store of a fleet with the habits of real ones: leases that end or live on over a change of leader, watches that are
// late or break, answers that are slow or get lost although the work was done, servers that do not answer, clients that
// are cut off. It is what tests/fakes/fake_store.h is, for a thousand agents.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "cluster/store.h"
#include "fakes/fake_loop.h"
#include "simulation/agent_loop.h"

namespace simulation {

struct StoreServer {
  StoreServer(fakes::FakeLoop& l, std::uint64_t seed) : loop(l), random(seed) {}

  struct Lease {
    base::Millis ttl{};
    base::Instant ends{};
    std::set<std::string> keys{};
  };
  struct Watcher {
    std::uint64_t index = 0;
    std::function<void(bool good)> tell;
  };

  bool is_down() const { return loop.now() < down_until; }
  base::Duration delay() {
    if (random.below(200) == 0) return base::Millis(random.below(1'900));
    return base::Millis(1 + random.below(20));
  }
  static std::string prefix_of(const std::string& key) { return key.substr(0, key.find('/') + 1); }

  void renew(const std::string& id, Lease& lease) {
    order.erase({lease.ends, id});
    lease.ends = loop.now() + lease.ttl;
    order.insert({lease.ends, id});
  }
  void expire() {
    while (!is_down() && !order.empty() && order.begin()->first <= loop.now()) end(std::string(order.begin()->second));
  }
  void end(const std::string& id) {
    const auto found = leases.find(id);
    if (found == leases.end()) return;
    order.erase({found->second.ends, id});
    const std::set<std::string> keys = std::move(found->second.keys);
    leases.erase(found);
    for (const std::string& key : keys) erase(key);
  }
  void erase(const std::string& key) {
    const auto found = entries.find(key);
    if (found == entries.end()) return;
    if (const auto lease = leases.find(found->second.lease); lease != leases.end()) lease->second.keys.erase(key);
    entries.erase(found);
    changed(key);
  }
  void changed(const std::string& key) {
    const std::string prefix = prefix_of(key);
    last_change[prefix] = ++revision;
    for (auto& [id, watcher] : watchers[prefix])
      if (watcher.tell) std::exchange(watcher.tell, nullptr)(true);
  }
  // No leader for a while: nothing is answered, watches break; the leases that are left may get their whole time again.
  void lose_leader(base::Duration time) {
    down_until = loop.now() + time;
    for (auto& [prefix, all] : watchers)
      for (auto& [id, watcher] : all)
        if (watcher.tell) std::exchange(watcher.tell, nullptr)(false);
    if (random.below(2) == 0) return;
    for (auto& [id, lease] : leases) {
      order.erase({lease.ends, id});
      lease.ends = down_until + lease.ttl;
      order.insert({lease.ends, id});
    }
  }
  const cluster::Entry* find(const std::string& key) {
    expire();
    const auto found = entries.find(key);
    return found == entries.end() ? nullptr : &found->second;
  }

  fakes::FakeLoop& loop;
  base::Random random;
  std::map<std::string, Lease> leases;
  std::set<std::pair<base::Instant, std::string>> order;  // of leases, by end
  std::map<std::string, cluster::Entry> entries;
  std::map<std::string, cluster::Record> records;
  std::function<void(const cluster::Record&)> written;     // each record, when it is
  std::map<std::string, std::map<int, Watcher>> watchers;  // by prefix
  std::map<std::string, std::uint64_t> last_change;        // the same
  std::uint64_t revision = 100, requests = 0;
  int last_lease = 0, last_watcher = 0;
  base::Instant down_until{};
};

class Store final : public cluster::Store {
 public:
  using Answered = cluster::Answered;
  using Nothing = cluster::Nothing;
  template <typename T>
  using Done = std::function<void(cluster::Answer<T>)>;

  // `cut_off`: nothing that the agent sends arrives. `seen`: what a mutant makes of what it reads.
  Store(StoreServer& server, AgentLoop& own, const bool& cut_off, std::function<void(cluster::Reading&)> seen)
      : server_(server), own_(own), cut_off_(cut_off), seen_(std::move(seen)) {}
  std::string name() const override { return "the store"; }

  loop::Handle grant(base::Millis ttl, Done<std::string> done) override {
    return ask<std::string>(std::move(done), [&s = server_, ttl]() -> cluster::Answer<std::string> {
      const std::string id = "lease" + std::to_string(++s.last_lease);
      s.renew(id, s.leases[id] = {ttl});
      return {Answered::yes, id, {}};
    });
  }
  loop::Handle renew(const std::string& lease, Done<Nothing> done) override {
    return ask<Nothing>(std::move(done), [&s = server_, lease]() -> cluster::Answer<Nothing> {
      const auto found = s.leases.find(lease);
      if (found == s.leases.end()) return {Answered::no, {}, "the lease has ended"};
      s.renew(lease, found->second);
      return {Answered::yes, {}, {}};
    });
  }
  loop::Handle revoke(const std::string& lease, Done<Nothing> done) override {
    return ask<Nothing>(std::move(done), [&s = server_, lease]() -> cluster::Answer<Nothing> {
      s.end(lease);
      return {Answered::yes, {}, {}};
    });
  }
  loop::Handle read(const std::string& prefix, Done<cluster::Reading> done) override {
    return ask<cluster::Reading>(
        std::move(done), [&s = server_, prefix, seen = seen_]() -> cluster::Answer<cluster::Reading> {
          cluster::Reading out{{}, s.revision};
          for (auto at = s.entries.lower_bound(prefix); at != s.entries.end() && at->first.starts_with(prefix); ++at)
            out.entries.push_back(at->second);
          for (auto at = s.records.lower_bound(prefix); at != s.records.end() && at->first.starts_with(prefix); ++at)
            out.records.push_back(at->second);
          if (seen) seen(out);
          return {Answered::yes, std::move(out), {}};
        });
  }
  loop::Handle take(const std::string& key, const std::string& value, const std::string& lease,
                    Done<std::uint64_t> done) override {
    return ask<std::uint64_t>(std::move(done), [&s = server_, key, value, lease]() -> cluster::Answer<std::uint64_t> {
      const auto of = s.leases.find(lease);
      if (of == s.leases.end()) return {Answered::no, 0, "the lease has ended"};
      const auto found = s.entries.find(key);
      if (found != s.entries.end() && found->second.lease != lease) return {Answered::no, 0, "another has it"};
      const std::uint64_t fence = found == s.entries.end() ? s.revision + 1 : found->second.fence;
      s.entries[key] = {key, value, lease, fence};
      of->second.keys.insert(key);
      s.changed(key);
      return {Answered::yes, fence, {}};
    });
  }
  loop::Handle drop(const std::string& key, const std::string& lease, Done<Nothing> done) override {
    return ask<Nothing>(std::move(done), [&s = server_, key, lease]() -> cluster::Answer<Nothing> {
      const auto found = s.entries.find(key);
      if (found == s.entries.end() || found->second.lease != lease) return {Answered::no, {}, "not ours"};
      s.erase(key);
      return {Answered::yes, {}, {}};
    });
  }
  loop::Handle write(const std::string& key, const std::string& value, std::uint64_t revision,
                     Done<Nothing> done) override {
    return ask<Nothing>(std::move(done), [&s = server_, key, value, revision]() -> cluster::Answer<Nothing> {
      cluster::Record& record = s.records[key];
      if (record.revision != revision) return {Answered::no, {}, "another has written it"};
      record = {key, value, s.revision + 1};
      s.changed(key);
      if (s.written) s.written(record);
      return {Answered::yes, {}, {}};
    });
  }
  loop::Handle watch(const std::string& prefix, std::uint64_t index, Done<Nothing> done) override {
    struct Watching final : loop::Registration {
      ~Watching() override {
        if (const auto all = server->watchers.find(prefix); all != server->watchers.end()) all->second.erase(id);
      }
      StoreServer* server = nullptr;
      std::string prefix;
      int id = 0;
      loop::Handle timer;
    };
    ++server_.requests;
    auto watching = std::make_unique<Watching>();
    watching->server = &server_;
    watching->prefix = prefix;
    watching->id = ++server_.last_watcher;
    Watching* at = watching.get();
    const auto tell = [this, at, done](bool good) {
      const base::Duration late = base::Millis(server_.random.below(good ? 400 : 3'000));
      at->timer = own_.after(late, [done, good] { done({good ? Answered::yes : Answered::unknown, {}, {}}); });
    };
    if (cut_off_ || server_.is_down()) {
      at->timer = own_.after(std::chrono::seconds{2}, [done] { done({Answered::unknown, {}, "no answer in time"}); });
      return loop::Handle(std::move(watching));
    }
    at->timer = own_.after(kWatch, [done] { done({Answered::yes, {}, {}}); });
    server_.watchers[prefix][at->id] = {index, tell};
    if (server_.last_change[prefix] > index) server_.watchers[prefix][at->id].tell = nullptr, tell(true);
    return loop::Handle(std::move(watching));
  }

 private:
  // The request arrives after a part of its time, the answer after the rest, unless one of them is lost.
  template <typename T>
  loop::Handle ask(Done<T> done, std::function<cluster::Answer<T>()> work) {
    struct Way final : loop::Registration {
      loop::Handle limit, answer;
    };
    ++server_.requests;
    auto way = std::make_unique<Way>();
    Way* at = way.get();
    at->limit = own_.after(std::chrono::seconds{2}, [done] { done({Answered::unknown, {}, "no answer in time"}); });
    if (cut_off_) return loop::Handle(std::move(way));
    const bool lost = server_.random.below(500) == 0;
    const base::Duration there = server_.delay(), back = server_.delay();
    // Work that was sent is done, also when who asked for it does not wait any more.
    const auto alive = std::make_shared<bool>(true);
    auto arrival = std::make_shared<loop::Handle>();
    *arrival = server_.loop.after(there, [this_server = &server_, at, back, done, work, lost, own = &own_,
                                          here = std::weak_ptr<bool>(alive), arrival] {
      const loop::Handle held = std::move(*arrival);
      if (this_server->is_down()) return;
      this_server->expire();
      const auto result = work();
      if (lost || here.expired()) return;
      at->answer = own->after(back, [at, done, result] {
        at->limit.reset();
        done(result);
      });
    });
    struct Waiting final : loop::Registration {
      std::shared_ptr<bool> alive;
      std::unique_ptr<Way> way;
    };
    auto waiting = std::make_unique<Waiting>();
    waiting->alive = alive;
    waiting->way = std::move(way);
    return loop::Handle(std::move(waiting));
  }

  StoreServer& server_;
  AgentLoop& own_;
  const bool& cut_off_;
  std::function<void(cluster::Reading&)> seen_;
};

// It as the configuration would have named it.
class StoreSettings final : public cluster::Settings {
 public:
  StoreSettings(StoreServer& server, AgentLoop& own, const bool& cut_off, std::function<void(cluster::Reading&)> seen)
      : server_(server), own_(own), cut_off_(cut_off), seen_(std::move(seen)) {}
  std::unique_ptr<cluster::Store> make(const cluster::Context&, base::Millis) const override {
    return std::make_unique<Store>(server_, own_, cut_off_, seen_);
  }

 private:
  StoreServer& server_;
  AgentLoop& own_;
  const bool& cut_off_;
  std::function<void(cluster::Reading&)> seen_;
};

}  // namespace simulation
