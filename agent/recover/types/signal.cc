// A signal to the service's main process and to nobody else. A number is no identity: between the moment in which
// somebody wrote a pid down and the signal the number may have become another process's. So the process is named by its
// pid and the time of its start, the unit (or the pidfile) must vouch for it at the moment of the signal, and the
// signal goes through a pidfd.
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "config/schema.h"
#include "loop/scheduler.h"
#include "os/pid_watch.h"
#include "os/systemd/systemd.h"
#include "recover/action.h"

namespace recover {
namespace {

struct Settings {
  std::string name;
  std::string pidfile;
  std::string program;
  base::Millis wait{0};
};

struct Named {
  std::string_view name;
  int number;
};
// Those that end a process or ask it for something. Not STOP: nothing that freezes a service heals it.
constexpr std::array kSignals{Named{"TERM", SIGTERM}, Named{"KILL", SIGKILL}, Named{"QUIT", SIGQUIT},
                              Named{"INT", SIGINT},   Named{"ABRT", SIGABRT}, Named{"HUP", SIGHUP},
                              Named{"USR1", SIGUSR1}, Named{"USR2", SIGUSR2}, Named{"CONT", SIGCONT}};

std::string_view bare(std::string_view name) { return name.starts_with("SIG") ? name.substr(3) : name; }

int number_of(std::string_view name) {
  for (const Named& known : kSignals)
    if (known.name == bare(name)) return known.number;
  return 0;
}

const auto& schema() {
  static const auto s =
      config::Schema<Settings>("signal")
          .required("name", &Settings::name, "TERM, KILL, QUIT, INT, ABRT, HUP, USR1, USR2 or CONT.")
          .optional(
              "pidfile", &Settings::pidfile,
              "File with the number of the process, for a service without a unit. Default: the unit's main process.")
          .optional("program", &Settings::program, "Name that the process must have (comm), as a second proof.")
          .optional("wait", &Settings::wait, "How long to wait until the process is gone; 0s: not at all.")
          .check([](const Settings& s2, const config::Complain& complain) {
            if (!s2.pidfile.empty() && s2.pidfile.front() != '/') complain("pidfile", "must be an absolute path");
            if (s2.wait < base::Millis{0}) complain("wait", "must not be negative");
          });
  return s;
}

// Since boot, the clock in which the kernel notes a process's start.
std::chrono::nanoseconds since(clockid_t clock) {
  timespec t{};
  ::clock_gettime(clock, &t);
  return std::chrono::seconds{t.tv_sec} + std::chrono::nanoseconds{t.tv_nsec};
}

// The process that the pidfile means. The file was written after its process had started; a process that is younger
// than the file has only got the number. `slack` is the grain of both clocks.
base::Result<os::Process> from_pidfile(const std::string& path) {
  constexpr std::chrono::milliseconds kSlack{100};
  TRY(auto process, os::read_pidfile(path));
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return base::fail_errno(errno, "cannot look at " + path);
  const auto written = std::chrono::seconds{info.st_mtim.tv_sec} + std::chrono::nanoseconds{info.st_mtim.tv_nsec};
  const auto age_of_file = since(CLOCK_REALTIME) - written;
  const auto ticks = static_cast<std::int64_t>(process.start_ticks);
  const auto age = since(CLOCK_BOOTTIME) - std::chrono::milliseconds{ticks * 1000 / ::sysconf(_SC_CLK_TCK)};
  if (age + kSlack < age_of_file)
    return base::fail(
        base::Kind::not_found,
        fmt::format("process {} ({}) is younger than {}, so its number belonged to somebody else when the "
                    "file was written",
                    process.pid, process.name, path));
  return process;
}

class SignalRun final : public loop::Registration {
 public:
  SignalRun(const Context& context, const Settings& settings, std::string unit, base::Instant deadline,
            std::string what, std::function<void(ActionResult)> done)
      : scheduler_(context.scheduler),
        systemd_(context.systemd),
        pids_(*context.pids),
        settings_(settings),
        unit_(std::move(unit)),
        deadline_(deadline),
        what_(std::move(what)),
        done_(std::move(done)) {
    if (settings_.pidfile.empty()) ask_unit(&SignalRun::found);
    else
      step_ = scheduler_.after({}, [this] {
        auto process = from_pidfile(settings_.pidfile);
        if (!process) return refuse(process.error().text);
        process_ = *std::move(process);
        send();
      });
  }

 private:
  void ask_unit(void (SignalRun::*then)(pid_t)) {
    step_ = systemd_.read_unit(unit_, deadline_, [this, then](base::Result<os::UnitState> state) {
      if (!state) return refuse(state.error().text);
      if (state->main_pid <= 0)
        return refuse(fmt::format("{} has no main process; it is {} ({})", unit_, state->active, state->sub));
      (this->*then)(state->main_pid);
    });
  }
  void found(pid_t pid) {
    auto process = os::read_process(pid);
    if (!process) return refuse(process.error().text);
    process_ = *std::move(process);
    // systemd reaps its children, so a number that it still calls the main process cannot have become another's: asked
    // once more now that the start is known.
    ask_unit(&SignalRun::confirmed);
  }
  void confirmed(pid_t pid) {
    if (pid == process_.pid) return send();
    refuse(
        fmt::format("the main process of {} was {} and is {} now: it has been started anew", unit_, process_.pid, pid));
  }

  void send() {
    if (!settings_.program.empty() && process_.name != settings_.program)
      return refuse(fmt::format("process {} is {}, not {}", process_.pid, process_.name, settings_.program));
    // First the watch: what ends at once is seen.
    auto watch = pids_.watch(process_, [this](const os::ProcessEnd&) { gone(); });
    if (!watch) return refuse(watch.error().text);
    if (const auto sent = os::signal_process(process_, number_of(settings_.name)); !sent) {
      if (sent.error().kind != base::Kind::permission) return refuse(sent.error().text);
      return refuse(sent.error().text +
                    "; it is another user's: use {systemd: restart}, or a unit_hook that has the right");
    }
    sent_ = scheduler_.now();
    const base::Instant until = std::min(deadline_, sent_ + settings_.wait);
    if (settings_.wait.count() == 0) {
      step_ = scheduler_.after({}, [this] { end({ActionStatus::ok, fmt::format("{}: sent to {}", what_, who())}); });
      return;
    }
    watch_ = *std::move(watch);
    step_ = scheduler_.at(until, [this] {
      end({ActionStatus::timeout, fmt::format("{}: {} is still there {} later", what_, who(), took())});
    });
  }
  void gone() { end({ActionStatus::ok, fmt::format("{}: {} was gone {} later", what_, who(), took())}); }

  std::string who() const { return fmt::format("{} ({})", process_.pid, process_.name); }
  std::string took() const {
    return base::format_duration(std::chrono::duration_cast<base::Millis>(scheduler_.now() - sent_));
  }
  void refuse(const std::string& why) { end({ActionStatus::refused, fmt::format("{}: not sent: {}", what_, why)}); }
  // Destroys this object, as a rule.
  void end(ActionResult result) {
    const auto done = std::exchange(done_, nullptr);
    if (done) done(std::move(result));
  }

  loop::Scheduler& scheduler_;
  os::Systemd& systemd_;
  os::PidWatcher& pids_;
  Settings settings_;
  std::string unit_;
  base::Instant deadline_, sent_{};
  std::string what_;
  std::function<void(ActionResult)> done_;
  os::Process process_;
  loop::Handle step_, watch_;
};

class Signal final : public Action {
 public:
  Signal(Settings settings, std::string unit) : settings_(std::move(settings)), unit_(std::move(unit)) {}
  loop::Handle run(const Context& context, const Trigger&, base::Instant deadline,
                   std::function<void(ActionResult)> done) const override {
    return loop::Handle(std::make_unique<SignalRun>(context, settings_, unit_, deadline, text(), std::move(done)));
  }
  std::string text() const override {
    return fmt::format("signal {} {}", settings_.name, settings_.pidfile.empty() ? unit_ : settings_.pidfile);
  }
  std::string needed_unit() const override { return settings_.pidfile.empty() ? unit_ : ""; }
  std::string target() const override { return settings_.pidfile; }

 private:
  Settings settings_;
  std::string unit_;
};

// "TERM", or {name: TERM, wait: 10s}.
std::unique_ptr<const Action> parse(const config::Node& node, const std::string& path, const ActionOwner& owner,
                                    config::Errors& errors) {
  const std::size_t before = errors.size();
  Settings settings = schema().parse_or_word(node, &Settings::name, path, errors);
  if (errors.size() > before) return nullptr;
  settings.name = bare(settings.name);
  const config::Node name = node.is_mapping() ? node.find("name") : node;
  std::vector<std::string> names;
  for (const Named& known : kSignals) names.emplace_back(known.name);
  std::size_t index = 0;
  std::string why;
  if (number_of(settings.name) == 0 && !config::read_one_of(name, names, index, why))
    errors.add(name.mark(), path, why);
  if (settings.pidfile.empty() && owner.unit.empty())
    errors.add(node.mark(), path,
               fmt::format("service {} has no unit whose main process could be meant; set its unit, or write {{signal: "
                           "{{name: {}, pidfile: /run/{}.pid}}}}",
                           owner.service, settings.name, owner.service));
  if (errors.size() > before) return nullptr;
  return std::make_unique<Signal>(std::move(settings), owner.unit);
}

}  // namespace

extern const ActionType signal_type;
const ActionType signal_type{
    "signal",
    "Sends a signal to the main process of the unit, or to the process of a pidfile, if it can "
    "be proven to be that one, and waits until it is gone if asked to.",
    "{signal: {name: ABRT, wait: 10s}}", parse,
    []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace recover
