// Whether a process is there, found by pidfile, by the service's systemd unit or by name. Its end is an event (pidfd),
// so that the confirming run comes within a millisecond of a SIGKILL.
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <tuple>
#include <utility>

#include "loop/scheduler.h"
#include "model/self_check.h"
#include "os/pid_watch.h"
#include "os/systemd/systemd.h"
#include "probe/common/probe_schema.h"
#include "probe/common/values.h"
#include "probe/own_fault.h"
#include "probe/registry.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;
using os::Process;

struct ProcessSettings {
  std::string pidfile;
  std::string unit;
  std::string process_name;
  int min_count = 1;
};

const config::Schema<ProcessSettings>& schema() {
  static const auto schema =
      probe_schema<ProcessSettings>("process")
          .optional("pidfile", &ProcessSettings::pidfile,
                    "File with the process' number. One without a number is no proof that the process is gone: "
                    "body_mismatch.")
          .reach(config::Reach::file, config::ValueFormat::path)
          .optional("unit", &ProcessSettings::unit,
                    "systemd unit whose main process it is. Default: the service's unit, if nothing else is given.")
          .reach(config::Reach::listed)
          .optional("process_name", &ProcessSettings::process_name,
                    "Name of the process or file name of its program; the oldest one is watched.")
          .reach(config::Reach::listed)
          .optional("min_count", &ProcessSettings::min_count, "With process_name: how many there must be.")
          .check([](const ProcessSettings& process, const config::Complain& complain) {
            const int ways = (process.pidfile.empty() ? 0 : 1) + (process.unit.empty() ? 0 : 1) +
                             (process.process_name.empty() ? 0 : 1);
            if (ways > 1) complain("", "give one of pidfile, unit and process_name");
            if (!process.pidfile.empty() && process.pidfile[0] != '/') complain("pidfile", "must be an absolute path");
            if (process.min_count < 1) complain("min_count", "must be at least 1");
          });
  return schema;
}

// Seconds since the epoch at which the node booted, by the clock as it is now: whole ones, which stay the same until
// somebody sets the clock.
double boot_time(base::WallTime wall_now) {
  static double boot = 0;
  return boot = settled(base::seconds(wall_now) - base::seconds(model::since_boot()), boot);
}

// Seconds since the epoch of a time that /proc gives in clock ticks since boot.
double start_time(std::uint64_t ticks, base::WallTime wall_now) {
  static const auto per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
  return boot_time(wall_now) + static_cast<double>(ticks) / per_second;
}

std::string in_words(const Process& process) {
  return "process " + std::to_string(process.pid) + " (" + process.name + ")";
}

// How a process ended, as far as the kernel told.
struct Death {
  os::ProcessEnd end;
  std::string name;
  bool out_of_memory = false;
};

std::string in_words(const Death& death) {
  const os::ProcessEnd& end = death.end;
  std::string text = "process " + std::to_string(end.pid) + " (" + death.name + ") ended";
  if (end.signal) text += " by signal " + std::to_string(*end.signal);
  else if (end.exit_code) text += " with exit code " + std::to_string(*end.exit_code);
  if (death.out_of_memory) text += ", killed for want of memory";
  return text;
}

// A label's value. "unknown": kernels before 6.15 do not tell; the systemd type then knows more.
std::string_view cause_of(const Death& death) {
  return death.out_of_memory ? "oom" : death.end.signal ? "signal" : death.end.exit_code ? "exit" : "unknown";
}

// An out-of-memory kill that comes this close to the end of a process of the same control group is its cause: the
// two are told by different descriptors, in any order.
constexpr base::Duration kSameMoment = std::chrono::seconds{2};

// By how much the clock may have been set between the start of a process and its first run here: a node that boots
// without a clock of its own is some seconds wrong until the network tells. A number is used again much later than
// that.
constexpr double kClockSlack = 60;

// Whether a pid file is older than the process that has its number now: then it means another one, which is gone. What
// was fresh once stays so, whenever somebody sets the clock. `written` and `started` in seconds since the epoch.
bool is_stale(const std::string& pidfile, double written, const Process& process, double started) {
  using Seen = std::tuple<double, pid_t, std::uint64_t>;
  static std::map<std::string, Seen> fresh;  // by pid file; loop thread
  const Seen seen{written, process.pid, process.start_ticks};
  const bool is_fresh = written + kClockSlack >= started;
  if (is_fresh) fresh[pidfile] = seen;
  const auto known = fresh.find(pidfile);
  return !is_fresh && (known == fresh.end() || known->second != seen);
}

// What one look found. No process: `failure` says why.
struct Found {
  std::optional<Process> process;
  std::optional<double> written;  // the pid file, in seconds since the epoch
  std::size_t count = 0;
  Outcome failure;
};

Outcome gone(std::string text) { return Outcome::failure(Reason::process_gone, std::move(text)); }

Found look(const ProcessSettings& settings) {
  Found found;
  if (!settings.pidfile.empty()) {
    auto process = os::read_pidfile(settings.pidfile);
    if (process) {
      found.process = std::move(*process), found.count = 1;
      struct stat file {};
      if (::stat(settings.pidfile.c_str(), &file) == 0) found.written = static_cast<double>(file.st_mtim.tv_sec) + 1;
    } else {
      // A file that is being written holds nothing for a moment: no proof that anything has ended.
      const bool proven = process.error().kind == base::Kind::not_found;
      found.failure =
          failure_at(settings.pidfile, process.error(), proven ? Reason::process_gone : Reason::body_mismatch);
    }
    return found;
  }
  auto all = os::find_processes(settings.process_name);
  if (!all) {
    found.failure = failure_of(all.error(), Reason::agent_overloaded);
    return found;
  }
  found.count = all->size();
  if (all->empty()) found.failure = gone("there is no process called " + settings.process_name);
  else found.process = std::move(all->front());
  return found;
}

Found look_at(const base::Result<os::UnitState>& state, const std::string& unit) {
  Found found;
  if (!state) {
    found.failure = gone(state.error().text);
  } else if (state->main_pid == 0) {
    found.failure = gone(unit + " has no main process; it is " + state->active + " (" + state->sub + ")");
  } else if (auto process = os::read_process(state->main_pid)) {
    found.process = std::move(*process);
    found.count = 1;
  } else {
    found.failure = failure_of(process.error(), Reason::process_gone);
  }
  return found;
}

class ProcessProbe final : public Probe {
 public:
  ProcessProbe(const Context& context, const ProcessSettings& settings) : context_(context), settings_(settings) {}

  void start(base::Instant deadline, Done done) override {
    done_ = std::move(done);
    if (settings_.unit.empty()) {
      pending_ = context_.scheduler.after({}, [this] { finish(look(settings_)); });
      return;
    }
    pending_ = context_.systemd.read_unit(settings_.unit, deadline, [this](base::Result<os::UnitState> state) {
      if (state || state.error().kind == base::Kind::not_found) return finish(look_at(state, settings_.unit));
      // A systemd that is silent (it reads its units again, say) or cannot be asked says nothing about the process.
      tell(Outcome::failure(Reason::agent_overloaded, state.error().text));
    });
  }

 private:
  void finish(const Found& found) {
    if (!found.process) return tell(found.failure);
    const double started = start_time(found.process->start_ticks, context_.scheduler.wall_now());
    if (found.written && is_stale(settings_.pidfile, *found.written, *found.process, started))
      return tell(Outcome::failure(Reason::body_mismatch,
                                   settings_.pidfile + " was written before " + in_words(*found.process) +
                                       " began: the process that it names is gone, and another one has its number"));
    Outcome outcome = Outcome::success(in_words(*found.process));
    if (found.count < static_cast<std::size_t>(settings_.min_count))
      outcome = Outcome::failure(Reason::process_gone, std::to_string(found.count) + " of " +
                                                           std::to_string(settings_.min_count) + " processes called " +
                                                           settings_.process_name + " are there");
    outcome.measurements.push_back({"probe_processes", static_cast<double>(found.count), {}});
    outcome.measurements.push_back({"probe_process_pid", static_cast<double>(found.process->pid), {}});
    outcome.measurements.push_back({"probe_process_start_time_seconds", started, {}});
    tell(std::move(outcome));
  }
  void tell(Outcome outcome) { std::exchange(done_, nullptr)(std::move(outcome)); }

  const Context& context_;
  const ProcessSettings& settings_;
  Done done_;
  loop::Handle pending_;
};

// Watches the process that is there; when it has ended, waits for a run that finds the next one.
class ProcessEvents final : public EventSource {
 public:
  ProcessEvents(const Context& context, const ProcessSettings& settings, OnEvent on_event)
      : context_(context), settings_(settings), on_event_(std::move(on_event)) {
    if (settings_.unit.empty()) {
      watch(look(settings_));
      return;
    }
    unit_ = context_.systemd.watch_unit(settings_.unit, [this](const base::Result<os::UnitState>& state) {
      if (!state || state->main_pid == watched_) return;
      watch(look_at(state, settings_.unit));
    });
  }

  void after_run(const model::Outcome& outcome) override {
    if (outcome.up && watched_ == 0 && settings_.unit.empty()) watch(look(settings_));
  }

  void describe(model::Outcome& outcome) const override {
    const auto active = [&](const char* source, bool is) {
      outcome.measurements.push_back({"probe_event_source_active", is ? 1.0 : 0.0, {{"source", source}}});
    };
    active("pidfd", watched_ != 0);
    active("cgroup", watched_ != 0 && counting_);
    if (!death_) return;
    const os::ProcessEnd& end = death_->end;
    outcome.measurements.push_back({"probe_process_last_end_info",
                                    1,
                                    {{"cause", cause_of(*death_)},
                                     {"signal", end.signal ? std::to_string(*end.signal) : ""},
                                     {"exit_code", end.exit_code ? std::to_string(*end.exit_code) : ""}}});
    if (!outcome.up && watched_ == 0) outcome.text += "; " + in_words(*death_);
  }

 private:
  void watch(const Found& found) {
    if (!found.process) return;
    auto watching = context_.pids.watch(*found.process, [this, name = found.process->name](os::ProcessEnd end) {
      watched_ = 0;
      const bool out_of_memory = killed_at_ && end.noticed - *killed_at_ < kSameMoment;
      death_ = Death{end, name, out_of_memory};
      on_event_({"pidfd", in_words(*death_), end.noticed});
    });
    if (!watching) return;  // gone already: the next run will see
    watched_ = found.process->pid;
    watching_ = std::move(*watching);
    killed_at_.reset();
    auto counting = context_.pids.watch_memory(
        *found.process, [this, name = found.process->name](std::uint64_t kills) { on_kills(kills, name); });
    counting_ = static_cast<bool>(counting);
    if (counting) memory_ = std::move(*counting);
    else memory_.reset();
  }

  // Of the process that is watched, or of another of its unit: a worker that was killed is worth a look as well.
  void on_kills(std::uint64_t kills, const std::string& name) {
    const base::Instant now = context_.scheduler.now();
    killed_at_ = now;
    if (death_ && watched_ == 0 && now - death_->end.noticed < kSameMoment) death_->out_of_memory = true;
    on_event_({"cgroup",
               "the kernel killed " + std::to_string(kills) + (kills == 1 ? " process" : " processes") + " around " +
                   name + " for want of memory",
               now});
  }

  const Context& context_;
  const ProcessSettings& settings_;
  OnEvent on_event_;
  pid_t watched_ = 0;
  bool counting_ = false;                   // memory_ is there
  std::optional<Death> death_;              // of the last process that was watched
  std::optional<base::Instant> killed_at_;  // a process of its control group, by the out-of-memory killer
  loop::Handle watching_;
  loop::Handle memory_;
  loop::Handle unit_;
};

class ProcessTarget final : public Settings {
 public:
  explicit ProcessTarget(ProcessSettings settings) : settings_(std::move(settings)) {}
  std::unique_ptr<Probe> make(const Context& context) const override {
    return std::make_unique<ProcessProbe>(context, settings_);
  }
  std::unique_ptr<EventSource> watch(const Context& context, OnEvent on_event) const override {
    return std::make_unique<ProcessEvents>(context, settings_, std::move(on_event));
  }
  std::string target() const override {
    if (!settings_.pidfile.empty()) return "process of " + settings_.pidfile;
    if (!settings_.unit.empty()) return "main process of " + settings_.unit;
    return "process " + settings_.process_name;
  }

 private:
  ProcessSettings settings_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner& owner,
                                      config::Errors& errors) {
  ProcessSettings settings = schema().parse(node, path, errors);
  if (settings.pidfile.empty() && settings.unit.empty() && settings.process_name.empty()) {
    settings.unit = owner.unit;
    if (settings.unit.empty() && node.is_mapping())
      errors.add(node.mark(), path, "give one of pidfile, unit and process_name, or the service a unit");
  }
  return std::make_unique<ProcessTarget>(std::move(settings));
}

}  // namespace

const Type process_type{
    .name = "process",
    .summary = "Checks that a process is there, and notices its end by event, with the cause: exit, signal, memory.",
    .example = R"(name: process
type: process
pidfile: /run/order.pid
interval: 1s
timeout: 500ms
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_processes", "probe_process_pid", "probe_process_start_time_seconds"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      if (target.starts_with("/")) return {{"pidfile", std::string(target)}};
      if (target.ends_with(".service")) return {{"unit", std::string(target)}};
      return {{"process_name", std::string(target)}};
    },
    .late = Reason::agent_overloaded,
    .other_measurements = std::vector<std::string_view>{"probe_event_source_active", "probe_process_last_end_info"},
};

}  // namespace probe
