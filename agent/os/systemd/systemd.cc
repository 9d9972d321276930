#include "os/systemd/systemd.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "loop/event_loop.h"
#include "os/systemd/bus_connection.h"
#include "os/systemd/unit_read.h"

namespace os {
namespace {

using namespace std::chrono_literals;
using State = base::Result<UnitState>;

constexpr const char* kManagerPath = "/org/freedesktop/systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";
constexpr base::Duration kFirstRetry = 100ms, kLastRetry = 30s;
constexpr std::size_t kEndedJobs = 64;
// Reads that run at the same time. The bus allows 128 pending replies, and a daemon-reload makes every watched unit be
// read again.
constexpr std::ptrdiff_t kReadsAtOnce = 6;

// The mode is how a job meets one that waits or runs already (org.freedesktop.systemd1(5)). "fail" gives way to what it
// cannot be merged with, such as the stop that an operator has just asked for; a stop takes the place of a start that
// hangs.
struct Verb {
  std::string_view name;
  const char* method;
  const char* mode;  // null: the verb makes no job
};
constexpr std::array kVerbs{Verb{"start", "StartUnit", "fail"},
                            Verb{"stop", "StopUnit", "replace"},
                            Verb{"restart", "RestartUnit", "fail"},
                            Verb{"reload", "ReloadUnit", "fail"},
                            Verb{"reload-or-restart", "ReloadOrRestartUnit", "fail"},
                            Verb{"try-restart", "TryRestartUnit", "fail"},
                            Verb{"reset-failed", "ResetFailedUnit", nullptr}};

bool same(const State& a, const State& b) {
  if (a.has_value() != b.has_value()) return false;
  return a ? *a == *b : a.error().kind == b.error().kind && a.error().text == b.error().text;
}

}  // namespace

struct SdBusSystemd::Bus {
  class Watcher;
  class Reader;
  class Job;
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

  Bus(loop::EventLoop& l, std::string a) : loop(l), address(std::move(a)) {}

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
  std::vector<Job*> jobs;
  std::vector<Reader*> readers;
  std::deque<std::pair<std::string, std::string>> ended_jobs;  // path and result: a signal may overtake its reply
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

class SdBusSystemd::Bus::Job final : public loop::Registration {
 public:
  Job(Bus& bus, const Verb& verb, const std::string& unit, base::Instant deadline,
      std::function<void(base::Result<std::string>)> done)
      : bus_(bus), what_(fmt::format("{} {}", verb.name, unit)), done_(std::move(done)) {
    bus_.jobs.push_back(this);
    timer_ = bus_.loop.at(deadline, [this] {
      if (shutdown_)
        said_ = base::fail(base::Kind::cancelled, fmt::format("the node shuts down; {} was taken away", what_));
      else if (!said_)
        said_ = base::fail(base::Kind::timeout,
                           path_.empty() ? fmt::format("systemd did not answer to {} in time", what_)
                                         : fmt::format("systemd did not end {} in time; the job goes on", what_));
      finish(*std::move(said_));
    });
    sd_bus_message* call = nullptr;
    sd_bus_slot* slot = nullptr;
    has_job_ = verb.mode != nullptr;
    int code =
        sd_bus_message_new_method_call(bus_.connection->native(), &call, kSystemd, kManagerPath, kManager, verb.method);
    const Message owned(call);
    if (code >= 0) code = sd_bus_message_append(call, "s", unit.c_str());
    if (code >= 0 && has_job_) code = sd_bus_message_append(call, "s", verb.mode);
    if (code >= 0) code = sd_bus_call_async(bus_.connection->native(), &slot, call, &Job::on_reply, this, UINT64_MAX);
    slot_.reset(slot);
    if (code < 0)
      timer_ = bus_.loop.at(bus_.loop.now(), [this, code] {
        finish(base::fail_errno(-code, fmt::format("cannot ask systemd to {}", what_)));
      });
    bus_.connection->sent();
  }
  ~Job() override { std::erase(bus_.jobs, this); }

  const std::string& path() const { return path_; }
  // What systemd says is the end; see run_job for what a shutdown does to it. May destroy this object.
  void ended(base::Result<std::string> result) {
    const bool pushed_aside = result ? *result == "canceled" : result.error().kind == base::Kind::cancelled;
    if (!pushed_aside) return finish(std::move(result));
    said_ = std::move(result);
    ask_whether_node_stops();
  }
  // The bus ended, and with it the node perhaps: systemd is asked once the bus is back.
  void lost() {
    state_slot_.reset();
    if (!said_)
      said_ = base::fail(base::Kind::unavailable,
                         fmt::format("the connection to systemd was lost during {}; how it ended is not known", what_));
  }
  // May destroy this object.
  void connected() {
    if (said_) ask_whether_node_stops();
  }
  // May destroy this object.
  void finish(base::Result<std::string> result) {
    timer_.reset();
    std::erase(bus_.jobs, this);
    const auto done = std::exchange(done_, nullptr);
    if (done) done(std::move(result));
  }

 private:
  bool bus_is_open() const { return sd_bus_is_open(bus_.connection->native()) > 0; }
  void ask_whether_node_stops() {
    sd_bus_slot* slot = nullptr;
    const int code = sd_bus_call_method_async(bus_.connection->native(), &slot, kSystemd, kManagerPath,
                                              "org.freedesktop.DBus.Properties", "Get", &Job::on_system_state, this,
                                              "ss", kManager, "SystemState");
    state_slot_.reset(slot);
    bus_.connection->sent();
    if (code < 0 && bus_is_open()) finish(*std::move(said_));
  }
  static int on_reply(sd_bus_message* reply, void* self, sd_bus_error*) {
    static_cast<Job*>(self)->replied(reply);
    return 0;
  }
  void replied(sd_bus_message* reply) {
    if (sd_bus_message_is_method_error(reply, nullptr) != 0) {
      base::Error error = bus_error(reply, fmt::format("systemd refused to {}", what_));
      if (error.kind == base::Kind::permission)
        error.text += "; a polkit rule for org.freedesktop.systemd1.manage-units must allow this unit and verb";
      if (!bus_is_open()) return lost();
      return ended(tl::unexpected<base::Error>(std::move(error)));
    }
    if (!has_job_) return finish(std::string("done"));
    const char* path = nullptr;
    if (sd_bus_message_read(reply, "o", &path) < 0)
      return finish(base::fail(base::Kind::protocol, fmt::format("systemd's answer to {} names no job", what_)));
    path_ = path;
    for (const auto& [job, result] : bus_.ended_jobs)
      if (job == path_) return ended(std::string(result));
  }
  static int on_system_state(sd_bus_message* reply, void* self, sd_bus_error*) {
    auto& job = *static_cast<Job*>(self);
    const char* state = nullptr;
    const bool told = sd_bus_message_is_method_error(reply, nullptr) == 0 &&
                      sd_bus_message_read(reply, "v", "s", &state) >= 0 && state != nullptr;
    if (!told && !job.bus_is_open()) return 0;
    if (!told || std::string_view(state) != "stopping") {
      job.finish(*std::move(job.said_));
      return 0;
    }
    job.shutdown_ = true;
    std::erase(job.bus_.jobs, &job);  // nothing that the bus says is its end
    return 0;
  }

  Bus& bus_;
  std::string what_;
  std::function<void(base::Result<std::string>)> done_;
  bool has_job_ = true;
  std::string path_;
  std::optional<base::Result<std::string>> said_;  // the end, until systemd has said whether the node shuts down
  bool shutdown_ = false;
  Slot slot_, state_slot_;
  loop::Handle timer_;
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
  for (Job* job : std::vector(jobs))  // the end of one may drop others
    if (std::find(jobs.begin(), jobs.end(), job) != jobs.end()) job->connected();
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
  ended_jobs.clear();
  for (Job* job : jobs) job->lost();
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
  bus.ended_jobs.emplace_back(path, result);
  if (bus.ended_jobs.size() > kEndedJobs) bus.ended_jobs.pop_front();
  const std::string ended = path, how = result;
  for (Job* job : std::vector(bus.jobs))
    if (std::find(bus.jobs.begin(), bus.jobs.end(), job) != bus.jobs.end() && job->path() == ended) job->ended(how);
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
  const auto known = std::find_if(kVerbs.begin(), kVerbs.end(), [&](const Verb& v) { return v.name == verb; });
  if (known == kVerbs.end())
    return fail_soon({base::Kind::invalid, fmt::format("systemd has no verb '{}' for units", verb)});
  if (auto connected = bus_->connect(); !connected) return fail_soon(connected.error());
  return loop::Handle(std::make_unique<Bus::Job>(*bus_, *known, unit, deadline, std::move(done)));
}

void notify_systemd(const std::string& state) { sd_notify(0, state.c_str()); }

base::Duration watchdog_interval() {
  std::uint64_t us = 0;
  if (sd_watchdog_enabled(0, &us) <= 0) return {};
  return std::chrono::microseconds{us / 2};
}

}  // namespace os
