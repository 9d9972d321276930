// Everything that a probe may use, without a kernel: each part keeps what it was asked, and the test answers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fakes/fake_http.h"
#include "fakes/fake_loop.h"
#include "loop/blocking_pool.h"
#include "net/resolver.h"
#include "net/stream.h"
#include "os/pid_watch.h"
#include "os/subprocess.h"
#include "os/systemd/systemd.h"
#include "probe/heartbeats.h"
#include "probe/probe.h"

namespace fakes {

struct FakeDialer final : net::Dialer {
  explicit FakeDialer(FakeLoop& l) : desk(l), pings(l) {}
  loop::Handle connect(net::Dial dial, std::function<void(net::Connected)> done) override {
    return desk.ask(std::move(dial), std::move(done));
  }
  loop::Handle ping(net::Ping ping, std::function<void(net::Pinged)> done) override {
    return pings.ask(std::move(ping), std::move(done));
  }
  Desk<net::Dial, net::Connected> desk;
  Desk<net::Ping, net::Pinged> pings;
};

struct FakeResolver final : net::Resolver {
  explicit FakeResolver(FakeLoop& l) : desk(l) {}
  loop::Handle resolve(const std::string& name, std::uint16_t, net::Family, base::Instant,
                       std::function<void(base::Result<std::vector<net::Address>>)> done) override {
    return desk.ask(name, std::move(done));
  }
  Desk<std::string, base::Result<std::vector<net::Address>>> desk;
};

struct FakeSpawner final : os::Spawner {
  explicit FakeSpawner(FakeLoop& l) : desk(l) {}
  loop::Handle spawn(os::Command command, std::function<void(base::Result<os::Finished>)> done) override {
    return desk.ask(std::move(command), std::move(done));
  }
  Desk<os::Command, base::Result<os::Finished>> desk;
};

struct FakePids final : os::PidWatcher {
  explicit FakePids(FakeLoop& l) : desk(l), memory(l) {}
  base::Result<loop::Handle> watch(const os::Process& process, std::function<void(os::ProcessEnd)> gone) override {
    return desk.ask(process, std::move(gone));
  }
  base::Result<loop::Handle> watch_memory(const os::Process& process,
                                          std::function<void(std::uint64_t)> killed) override {
    if (!tells_memory) return base::fail(base::Kind::unavailable, "process is in no control group of version 2");
    return memory.ask(process, std::move(killed));
  }
  Desk<os::Process, os::ProcessEnd> desk;
  Desk<os::Process, std::uint64_t> memory;
  bool tells_memory = true;
};

struct FakeSystemd final : os::Systemd {
  using Watchers = std::multimap<std::string, std::function<void(const base::Result<os::UnitState>&)>>;
  explicit FakeSystemd(FakeLoop& l) : reads(l), jobs(l), loop_(l) {}
  loop::Handle watch_unit(const std::string& unit,
                          std::function<void(const base::Result<os::UnitState>&)> on_state) override {
    struct Watch final : loop::Registration {
      Watch(Watchers& all, Watchers::iterator own) : all_(all), own_(own) {}
      ~Watch() override { all_.erase(own_); }
      Watchers& all_;
      Watchers::iterator own_;
    };
    return loop::Handle(std::make_unique<Watch>(watchers, watchers.emplace(unit, std::move(on_state))));
  }
  loop::Handle read_unit(const std::string& unit, base::Instant,
                         std::function<void(base::Result<os::UnitState>)> done) override {
    if (!on_read) return reads.ask(unit, std::move(done));
    return loop_.after({}, [this, done = std::move(done), unit] { done(on_read(unit)); });
  }
  loop::Handle run_job(const std::string& verb, const std::string& unit, base::Instant,
                       std::function<void(base::Result<std::string>)> done) override {
    return jobs.ask(verb + " " + unit, std::move(done));
  }
  loop::Handle signal_unit(const std::string& unit, Whom whom, int signal, base::Instant,
                           std::function<void(base::Result<>)> done) override {
    return jobs.ask("signal " + std::to_string(signal) + (whom == Whom::main ? " main " : " all ") + unit,
                    [done = std::move(done)](const base::Result<std::string>& sent) {
                      if (sent) done({});
                      else done(tl::unexpected<base::Error>(sent.error()));
                    });
  }
  Watchers watchers;
  Desk<std::string, base::Result<os::UnitState>> reads;
  Desk<std::string, base::Result<std::string>> jobs;
  std::function<base::Result<os::UnitState>(const std::string& unit)> on_read{};  // in place of the desk

 private:
  FakeLoop& loop_;
};

// Makes each call in a later turn; those of a path in `hanging` never come back, and a second one of
// the same key is refused.
struct FakeBlockingPool final : loop::BlockingPool {
  explicit FakeBlockingPool(FakeLoop& l) : loop(l) {}
  loop::Handle run(const Key& key, std::function<void()> work, std::function<void(base::Result<>)> done,
                   base::Millis) override {
    struct Nothing final : loop::Registration {};
    const bool hangs = hanging.contains(key.path);
    if (hangs && out.insert(key).second) return loop::Handle(std::make_unique<Nothing>());
    return loop.at(loop.now(), [hangs, path = key.path, work = std::move(work), done = std::move(done)] {
      if (hangs) return done(base::fail(base::Kind::timeout, path + " hangs"));
      work();
      done({});
    });
  }
  FakeLoop& loop;
  std::set<std::string> hanging;  // paths
  std::set<Key> out;              // that hang
};

struct ProbeWorld {
  FakeLoop loop;
  FakeHttp http{loop};
  FakeDialer dialer{loop};
  FakeResolver resolver{loop};
  FakeSpawner spawner{loop};
  FakePids pids{loop};
  FakeSystemd systemd{loop};
  probe::Heartbeats heartbeats{loop};
  FakeBlockingPool blocking_pool{loop};
  probe::Context context{loop, http, dialer, resolver, spawner, pids, systemd, heartbeats, blocking_pool};
};

}  // namespace fakes
