#include "os/systemd/systemd.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "loop/event_loop.h"
#include "os/systemd/bus_connection.h"
#include "os/systemd/unit_jobs.h"
#include "os/systemd/unit_read.h"

namespace os {
namespace {

using namespace std::chrono_literals;
using State = base::Result<UnitState>;

constexpr base::Duration kFirstRetry = 100ms, kLastRetry = 30s;
// Reads that run at the same time. The bus allows 128 pending replies, and a daemon-reload makes every watched unit be
// read again.
constexpr std::ptrdiff_t kReadsAtOnce = 6;

bool same(const State& a, const State& b) {
  if (a.has_value() != b.has_value()) return false;
  return a ? *a == *b : a.error().kind == b.error().kind && a.error().text == b.error().text;
}

}  // namespace

struct SdBusSystemd::Bus {
  class Watcher;
  class Reader;
  // A unit that is watched by somebody.
  struct Watched {
    Watched(Bus& b, std::string u) : bus(&b), unit(std::move(u)) {}
    Bus* bus;
    std::string unit;
    std::vector<Watcher*> watchers;
    std::optional<State> last;
    Slot changes;
    std::unique_ptr<UnitRead> reading;
    bool stale = false;  // it changed again while it was read
    bool waits = false;  // for its turn to be read
  };

  Bus(loop::EventLoop& l, std::string a) : loop(l), address(std::move(a)), jobs(l) {}

  base::Result<> connect();
  void lost();
  void retry_later();
  void follow(Watched& watched);  // on the present connection
  void refresh(Watched& watched);
  void read_next();
  void tell(Watched& watched, State state);
  void tell_all(const base::Error& error);
  void drop(Watched& watched, Watcher* watcher);
  static int on_changed(sd_bus_message*, void* watched, sd_bus_error*);
  static int on_job_removed(sd_bus_message* signal, void* self, sd_bus_error*);
  static int on_reloading(sd_bus_message* signal, void* self, sd_bus_error*);

  loop::EventLoop& loop;
  std::string address;
  std::unique_ptr<BusConnection> connection;
  std::vector<Slot> signals;  // go before the connection
  std::map<std::string, std::unique_ptr<Watched>> units;
  UnitJobs jobs;
  std::vector<Reader*> readers;
  base::Duration retry_after = kFirstRetry;
  loop::Handle retry, soon;
};

class SdBusSystemd::Bus::Watcher final : public loop::Registration {
 public:
  Watcher(Bus& bus, Watched& watched, std::function<void(const State&)> on_state)
      : bus_(bus), watched_(watched), on_state_(std::move(on_state)) {
    watched_.watchers.push_back(this);
    // What others know already, he learns in the next turn.
    if (watched_.last) first_ = bus_.loop.at(bus_.loop.now(), [this] { tell(*watched_.last); });
  }
  ~Watcher() override {
    if (dropped_ != nullptr) *dropped_ = true;
    first_.reset();
    bus_.drop(watched_, this);
  }
  void tell(State state) {
    first_.reset();
    bool dropped = false;
    dropped_ = &dropped;
    const auto running = std::move(on_state_);
    running(state);
    if (dropped) return;
    dropped_ = nullptr;
    on_state_ = running;
  }

 private:
  Bus& bus_;
  Watched& watched_;
  std::function<void(const State&)> on_state_;
  loop::Handle first_;
  bool* dropped_ = nullptr;
};

class SdBusSystemd::Bus::Reader final : public loop::Registration {
 public:
  Reader(Bus& bus, const std::string& unit, base::Instant deadline, std::function<void(State)> done)
      : bus_(bus), done_(std::move(done)) {
    timer_ = bus.loop.at(deadline, [this, unit] {
      finish(base::fail(base::Kind::timeout, fmt::format("systemd did not tell the state of {} in time", unit)));
    });
    read_.emplace(*bus.connection, unit, [this](State state) { finish(std::move(state)); });
    bus_.readers.push_back(this);
  }
  ~Reader() override { std::erase(bus_.readers, this); }
  void finish(State state) {
    timer_.reset();
    std::erase(bus_.readers, this);
    const auto done = std::exchange(done_, nullptr);
    if (done) done(std::move(state));
  }

 private:
  Bus& bus_;
  std::function<void(State)> done_;
  loop::Handle timer_;
  std::optional<UnitRead> read_;
};

base::Result<> SdBusSystemd::Bus::connect() {
  if (connection != nullptr) return {};
  TRY(connection, BusConnection::open(loop, address, [this] { lost(); }));
  sd_bus* native = connection->native();
  const auto follow_signal = [&](const char* member, sd_bus_message_handler_t handler) {
    sd_bus_slot* slot = nullptr;
    sd_bus_match_signal_async(native, &slot, kSystemd, kManagerPath, kManager, member, handler, nullptr, this);
    signals.emplace_back(slot);
  };
  follow_signal("JobRemoved", &Bus::on_job_removed);
  follow_signal("Reloading", &Bus::on_reloading);
  // Without a subscriber systemd sends no signals about units.
  sd_bus_call_method_async(native, nullptr, kSystemd, kManagerPath, kManager, "Subscribe", nullptr, nullptr, "");
  for (auto& [name, watched] : units) follow(*watched);
  jobs.connected(*connection);
  connection->sent();
  return {};
}

// Calls that were under way have had their error from sd-bus; what had not is told here.
void SdBusSystemd::Bus::lost() {
  const base::Error error{base::Kind::unavailable, "the connection to systemd's bus is lost"};
  for (auto& [name, watched] : units) {
    watched->reading.reset();
    watched->waits = false;
    watched->changes.reset();
  }
  signals.clear();
  connection.reset();
  jobs.lost();
  while (!readers.empty()) readers.front()->finish(tl::unexpected<base::Error>(error));
  tell_all(error);
  retry_later();
}

void SdBusSystemd::Bus::retry_later() {
  if (units.empty() && jobs.empty()) return;
  retry = loop.after(retry_after, [this] {
    if (auto connected = connect(); !connected) {
      tell_all(connected.error());
      retry_later();
    }
  });
  retry_after = std::min(2 * retry_after, kLastRetry);
}

void SdBusSystemd::Bus::tell_all(const base::Error& error) {
  std::vector<std::string> names;
  for (const auto& [name, watched] : units) names.push_back(name);
  for (const std::string& name : names)
    if (const auto found = units.find(name); found != units.end())
      tell(*found->second, tl::unexpected<base::Error>(error));
}

void SdBusSystemd::Bus::follow(Watched& watched) {
  sd_bus_slot* slot = nullptr;
  sd_bus_match_signal_async(connection->native(), &slot, kSystemd, unit_path(watched.unit).c_str(),
                            "org.freedesktop.DBus.Properties", "PropertiesChanged", &Bus::on_changed, nullptr,
                            &watched);
  watched.changes.reset(slot);
  refresh(watched);
}

void SdBusSystemd::Bus::refresh(Watched& watched) {
  if (connection == nullptr) return;
  if (watched.reading != nullptr) {
    watched.stale = true;
    return;
  }
  const auto now =
      std::count_if(units.begin(), units.end(), [](const auto& each) { return each.second->reading != nullptr; });
  watched.waits = now >= kReadsAtOnce;
  if (watched.waits) return;
  watched.reading = std::make_unique<UnitRead>(*connection, watched.unit, [this, &watched](State state) {
    // The read goes when it has returned, not from under itself.
    const auto finished = std::move(watched.reading);
    retry_after = kFirstRetry;
    if (std::exchange(watched.stale, false)) refresh(watched);
    read_next();
    tell(watched, std::move(state));
  });
}

void SdBusSystemd::Bus::read_next() {
  for (auto& [name, other] : units) {
    if (other->waits) refresh(*other);
    if (other->waits) return;
  }
}

// Each watcher hears a state once. May destroy `watched`.
void SdBusSystemd::Bus::tell(Watched& watched, State state) {
  if (watched.last && same(*watched.last, state)) return;
  watched.last = state;
  const std::string unit = watched.unit;
  for (Watcher* watcher : std::vector(watched.watchers)) {
    // Those before him may have dropped him, or all.
    const auto found = units.find(unit);
    if (found == units.end()) return;
    const auto& left = found->second->watchers;
    if (std::find(left.begin(), left.end(), watcher) != left.end()) watcher->tell(state);
  }
}

void SdBusSystemd::Bus::drop(Watched& watched, Watcher* watcher) {
  std::erase(watched.watchers, watcher);
  if (!watched.watchers.empty()) return;
  units.erase(std::string(watched.unit));
  if (connection != nullptr) read_next();
}

int SdBusSystemd::Bus::on_changed(sd_bus_message*, void* watched, sd_bus_error*) {
  auto& changed = *static_cast<Watched*>(watched);
  changed.bus->refresh(changed);
  return 0;
}

int SdBusSystemd::Bus::on_job_removed(sd_bus_message* signal, void* self, sd_bus_error*) {
  auto& bus = *static_cast<Bus*>(self);
  std::uint32_t id = 0;
  const char *path = nullptr, *unit = nullptr, *result = nullptr;
  if (sd_bus_message_read(signal, "uoss", &id, &path, &unit, &result) < 0) return 0;
  bus.jobs.removed(path, result);
  return 0;
}

// After a daemon-reload units may be there that were not, or be gone.
int SdBusSystemd::Bus::on_reloading(sd_bus_message* signal, void* self, sd_bus_error*) {
  int begins = 1;
  if (sd_bus_message_read(signal, "b", &begins) < 0 || begins != 0) return 0;
  auto& bus = *static_cast<Bus*>(self);
  for (auto& [name, watched] : bus.units) bus.refresh(*watched);
  return 0;
}

SdBusSystemd::SdBusSystemd(loop::EventLoop& loop, std::string address)
    : bus_(std::make_unique<Bus>(loop, std::move(address))) {}
SdBusSystemd::~SdBusSystemd() {
  bus_->retry.reset();
  bus_->units.clear();
  bus_->signals.clear();
}

loop::Handle SdBusSystemd::watch_unit(const std::string& unit, std::function<void(const State&)> on_state) {
  auto& watched = bus_->units[unit];
  const bool first = watched == nullptr;
  if (first) watched = std::make_unique<Bus::Watched>(*bus_, unit);
  auto watcher = std::make_unique<Bus::Watcher>(*bus_, *watched, std::move(on_state));
  if (!first) return loop::Handle(std::move(watcher));
  if (bus_->connection != nullptr) {
    bus_->follow(*watched);
  } else {
    // Connects, and tells if there is no bus, in the next turn: for all that are watched by then.
    bus_->soon = bus_->loop.at(bus_->loop.now(), [bus = bus_.get()] {
      if (auto connected = bus->connect(); !connected) {
        bus->tell_all(connected.error());
        if (!bus->retry) bus->retry_later();
      }
    });
  }
  return loop::Handle(std::move(watcher));
}

loop::Handle SdBusSystemd::read_unit(const std::string& unit, base::Instant deadline, std::function<void(State)> done) {
  if (auto connected = bus_->connect(); !connected)
    return bus_->loop.at(bus_->loop.now(), [done = std::move(done), error = connected.error()] {
      done(tl::unexpected<base::Error>(error));
    });
  return loop::Handle(std::make_unique<Bus::Reader>(*bus_, unit, deadline, std::move(done)));
}

loop::Handle SdBusSystemd::run_job(const std::string& verb, const std::string& unit, base::Instant deadline,
                                   std::function<void(base::Result<std::string>)> done) {
  const auto fail_soon = [&](base::Error error) {
    return bus_->loop.at(bus_->loop.now(), [done = std::move(done), error = std::move(error)] {
      done(tl::unexpected<base::Error>(error));
    });
  };
  if (!UnitJobs::has_verb(verb))
    return fail_soon({base::Kind::invalid, fmt::format("systemd has no verb '{}' for units", verb)});
  if (auto connected = bus_->connect(); !connected) return fail_soon(connected.error());
  return bus_->jobs.run(verb, unit, deadline, std::move(done));
}

loop::Handle SdBusSystemd::signal_unit(const std::string& unit, Whom whom, int signal, base::Instant deadline,
                                       std::function<void(base::Result<>)> done) {
  if (auto connected = bus_->connect(); !connected)
    return bus_->loop.at(bus_->loop.now(), [done = std::move(done), error = connected.error()] {
      done(tl::unexpected<base::Error>(error));
    });
  return bus_->jobs.send_signal(unit, {whom == Whom::main ? "main" : "all", signal}, deadline,
                                [done = std::move(done)](const base::Result<std::string>& sent) {
                                  if (sent) done({});
                                  else done(tl::unexpected<base::Error>(sent.error()));
                                });
}

void notify_systemd(const std::string& state) { sd_notify(0, state.c_str()); }

base::Duration watchdog_interval() {
  std::uint64_t us = 0;
  if (sd_watchdog_enabled(0, &us) <= 0) return {};
  return std::chrono::microseconds{us / 2};
}

}  // namespace os
