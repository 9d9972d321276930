// A store of a fleet that lives in a test: leases that end, revisions, watches, and servers that do not answer. Each
// agent has a client of its own, which may be cut off.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/store.h"
#include "fakes/fake_loop.h"

namespace fakes {

struct StoreServer {
  explicit StoreServer(FakeLoop& l) : loop(l) {}

  struct Lease {
    base::Millis ttl{};
    base::Instant ends{};
  };
  struct Watcher {
    std::string prefix;
    std::uint64_t index = 0;
    std::function<void()> tell;
  };

  void expire() {
    std::set<std::string> gone;
    for (const auto& [id, lease] : leases)
      if (lease.ends <= loop.now()) gone.insert(id);
    for (const std::string& id : gone) end(id);
  }
  void end(const std::string& id) {
    leases.erase(id);
    std::vector<std::string> keys;
    for (const auto& [key, entry] : entries)
      if (entry.lease == id) keys.push_back(key);
    for (const std::string& key : keys) erase(key);
  }
  void erase(const std::string& key) {
    ++revision;
    entries.erase(key);
    told(key);
  }
  void told(const std::string& key) {
    for (auto& [id, watcher] : watchers)
      if (watcher.tell && key.starts_with(watcher.prefix)) std::exchange(watcher.tell, nullptr)();
  }
  const cluster::Entry* find(const std::string& key) {
    expire();
    const auto found = entries.find(key);
    return found == entries.end() ? nullptr : &found->second;
  }

  FakeLoop& loop;
  std::map<std::string, Lease> leases;
  std::map<std::string, cluster::Entry> entries;
  std::map<std::string, cluster::Record> records;
  std::map<int, Watcher> watchers;
  std::uint64_t revision = 100;
  int last_lease = 0, last_watcher = 0, requests = 0;
  base::Duration delay = std::chrono::milliseconds{2};
  bool down = false;
};

class FakeStore final : public cluster::Store {
 public:
  using Answered = cluster::Answered;
  template <typename T>
  using Done = std::function<void(cluster::Answer<T>)>;

  explicit FakeStore(StoreServer& server) : server_(server) {}
  std::string name() const override { return "the store"; }

  loop::Handle grant(base::Millis ttl, Done<std::string> done) override {
    return answer<std::string>(std::move(done), [this, ttl]() -> cluster::Answer<std::string> {
      const std::string id = "lease" + std::to_string(++server_.last_lease);
      server_.leases[id] = {ttl, server_.loop.now() + ttl};
      return {Answered::yes, id, {}};
    });
  }
  loop::Handle renew(const std::string& lease, Done<cluster::Nothing> done) override {
    return answer<cluster::Nothing>(std::move(done), [this, lease]() -> cluster::Answer<cluster::Nothing> {
      const auto found = server_.leases.find(lease);
      if (found == server_.leases.end()) return {Answered::no, {}, "the lease has ended"};
      found->second.ends = server_.loop.now() + found->second.ttl;
      return {Answered::yes, {}, {}};
    });
  }
  loop::Handle revoke(const std::string& lease, Done<cluster::Nothing> done) override {
    return answer<cluster::Nothing>(std::move(done), [this, lease]() -> cluster::Answer<cluster::Nothing> {
      server_.end(lease);
      return {Answered::yes, {}, {}};
    });
  }
  loop::Handle read(const std::string& prefix, Done<cluster::Reading> done) override {
    return answer<cluster::Reading>(std::move(done), [this, prefix]() -> cluster::Answer<cluster::Reading> {
      cluster::Reading out{{}, server_.revision};
      for (const auto& [key, entry] : server_.entries)
        if (key.starts_with(prefix)) out.entries.push_back(entry);
      for (const auto& [key, record] : server_.records)
        if (key.starts_with(prefix)) out.records.push_back(record);
      return {Answered::yes, out, {}};
    });
  }
  loop::Handle take(const std::string& key, const std::string& value, const std::string& lease,
                    Done<std::uint64_t> done) override {
    return answer<std::uint64_t>(
        std::move(done),
        [this, key, value, lease]() -> cluster::Answer<std::uint64_t> {
          if (!server_.leases.contains(lease)) return {Answered::no, 0, "the lease has ended"};
          const auto found = server_.entries.find(key);
          if (found != server_.entries.end() && found->second.lease != lease)
            return {Answered::no, 0, "another has it"};
          ++server_.revision;
          const std::uint64_t fence = found == server_.entries.end() ? server_.revision : found->second.fence;
          server_.entries[key] = {key, value, lease, fence};
          server_.told(key);
          return {Answered::yes, fence, {}};
        },
        loses_takes);
  }
  loop::Handle drop(const std::string& key, const std::string& lease, Done<cluster::Nothing> done) override {
    return answer<cluster::Nothing>(std::move(done), [this, key, lease]() -> cluster::Answer<cluster::Nothing> {
      const auto found = server_.entries.find(key);
      if (found == server_.entries.end() || found->second.lease != lease) return {Answered::no, {}, "not ours"};
      server_.erase(key);
      return {Answered::yes, {}, {}};
    });
  }
  loop::Handle write(const std::string& key, const std::string& value, std::uint64_t revision,
                     Done<cluster::Nothing> done) override {
    return answer<cluster::Nothing>(std::move(done),
                                    [this, key, value, revision]() -> cluster::Answer<cluster::Nothing> {
                                      const auto found = server_.records.find(key);
                                      if ((found == server_.records.end() ? 0 : found->second.revision) != revision)
                                        return {Answered::no, {}, "another has written it"};
                                      server_.records[key] = {key, value, ++server_.revision};
                                      server_.told(key);
                                      return {Answered::yes, {}, {}};
                                    });
  }
  loop::Handle watch(const std::string& prefix, std::uint64_t index, Done<cluster::Nothing> done) override {
    struct Watching final : loop::Registration {
      ~Watching() override { server->watchers.erase(id); }
      StoreServer* server = nullptr;
      int id = 0;
      loop::Handle timer;
    };
    auto watching = std::make_unique<Watching>();
    watching->server = &server_;
    watching->id = ++server_.last_watcher;
    ++server_.requests;
    Watching* at = watching.get();
    const auto tell = [this, at, done] {
      at->timer = server_.loop.after(server_.delay, [done] { done({Answered::yes, {}, {}}); });
    };
    server_.watchers[at->id] = {prefix, index, tell};
    at->timer = server_.loop.after(kWatch, [done] { done({Answered::yes, {}, {}}); });
    if (server_.revision > index) tell();
    return loop::Handle(std::move(watching));
  }

  bool cut_off = false;
  bool loses_takes = false;  // they are done, and nobody hears of it

 private:
  template <typename T>
  loop::Handle answer(Done<T> done, std::function<cluster::Answer<T>()> work, bool lost = false) {
    ++server_.requests;
    if (cut_off || server_.down)
      return server_.loop.after(std::chrono::seconds{2}, [done] {
        done({Answered::unknown, {}, "no answer in time"});
      });
    // It arrives whether somebody waits for it or not.
    server_.expire();
    const auto result = work();
    return server_.loop.after(lost ? base::Duration(std::chrono::seconds{2}) : server_.delay, [done, result, lost] {
      done(lost ? cluster::Answer<T>{Answered::unknown, {}, "no answer in time"} : result);
    });
  }

  StoreServer& server_;
};

}  // namespace fakes
