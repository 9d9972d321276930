// A job on the service's unit, or on another one, over D-Bus; done when systemd says that the job has ended.
#include <fmt/format.h>

#include <utility>

#include "config/schema.h"
#include "loop/scheduler.h"
#include "os/systemd/systemd.h"
#include "recover/action.h"
#include "recover/types/job_end.h"

namespace recover {
namespace {

struct Settings {
  std::string verb;
  std::string unit;
};

const std::vector<std::string>& verbs() {
  static const std::vector<std::string> v{"restart", "start", "stop", "reload", "reset-failed"};
  return v;
}

const auto& schema() {
  static const auto s = config::Schema<Settings>("systemd")
                            .required("verb", &Settings::verb, "restart, start, stop, reload or reset-failed.")
                            .optional("unit", &Settings::unit, "The unit; default: the service's own.");
  return s;
}

std::string limit_text(const os::UnitState& state) {
  return fmt::format(
      "its start limit ({} starts in {}) was hit", state.start_limit_burst,
      base::format_duration(std::chrono::ceil<base::Millis>(std::chrono::microseconds{state.start_limit_us})));
}

// systemd refuses a start over the limit before the unit leaves "inactive" or "failed". It says so in the unit's result
// only if that was "success": a unit that was killed before keeps "signal". A job that failed while the unit has not
// begun to start is the sign that is always there.
bool hit_its_limit(const os::UnitState& state, base::Instant asked) {
  if (state.result == "start-limit-hit") return true;
  const base::Instant began{std::chrono::microseconds{state.inactive_exit_monotonic_us}};
  return state.start_limit_us > 0 && state.start_limit_burst > 0 && began < asked &&
         (state.active == "failed" || state.active == "inactive");
}

// A job; one that failed only because the unit had been started too often is asked for once more, after reset-failed,
// or, where that is not allowed, when the limit's own time is over.
class UnitJob final : public loop::Registration {
 public:
  UnitJob(const Context& context, const Settings& settings, const Trigger& trigger, std::string what,
          base::Instant deadline, std::function<void(ActionResult)> done)
      : scheduler_(context.scheduler),
        systemd_(context.systemd),
        settings_(settings),
        what_(std::move(what)),
        stopped_(trigger.stopped),
        deadline_(deadline),
        done_(std::move(done)) {
    run();
  }

 private:
  bool starts() const { return settings_.verb == "restart" || settings_.verb == "start"; }
  void run() {
    asked_ = scheduler_.now();
    step_ = systemd_.run_job(settings_.verb, settings_.unit, deadline_,
                             [this](base::Result<std::string> job) { ended(job); });
  }
  void ended(const base::Result<std::string>& job) {
    ActionResult result = job_end(what_, settings_.unit, job);
    if (!limit_.empty()) {
      result.text += "; before that " + limit_;
      return end(std::move(result));
    }
    if (!starts() || !job || *job != "failed") return end(std::move(result));
    step_ = systemd_.read_unit(settings_.unit, deadline_, [this, result](base::Result<os::UnitState> state) {
      if (!state || !hit_its_limit(*state, asked_)) return end(result);
      reset(*state);
    });
  }
  void reset(const os::UnitState& state) {
    limit_ = limit_text(state);
    const base::Duration wait = std::chrono::microseconds{state.start_limit_us};
    step_ = systemd_.run_job("reset-failed", settings_.unit, deadline_, [this, wait](base::Result<std::string> job) {
      if (job) {
        limit_ += " and reset-failed was done";
        return run_again();
      }
      limit_ += "; reset-failed: " + job.error().text;
      const base::Instant over = scheduler_.now() + wait;
      if (over >= deadline_)
        return end(
            {ActionStatus::failed, fmt::format("{}: {}; the limit is over in {}, later than the step's timeout", what_,
                                               limit_, base::format_duration(std::chrono::ceil<base::Millis>(wait)))});
      step_ = scheduler_.at(over, [this] { run_again(); });
    });
  }
  void run_again() {
    if (const auto why = stopped_())
      return end({ActionStatus::failed, fmt::format("{}: {}; {}, so it was not started again", what_, limit_, *why)});
    run();
  }
  // Destroys this object, as a rule.
  void end(ActionResult result) {
    const auto done = std::exchange(done_, nullptr);
    if (done) done(std::move(result));
  }

  loop::Scheduler& scheduler_;
  os::Systemd& systemd_;
  Settings settings_;
  std::string what_, limit_;  // limit_: what was done about the start limit
  std::function<std::optional<std::string>()> stopped_;
  base::Instant deadline_, asked_{};
  std::function<void(ActionResult)> done_;
  loop::Handle step_;
};

class Systemd final : public Action {
 public:
  explicit Systemd(Settings settings) : settings_(std::move(settings)) {}
  loop::Handle run(const Context& context, const Trigger& trigger, base::Instant deadline,
                   std::function<void(ActionResult)> done) const override {
    return loop::Handle(std::make_unique<UnitJob>(context, settings_, trigger, text(), deadline, std::move(done)));
  }
  std::string text() const override { return fmt::format("systemd {} {}", settings_.verb, settings_.unit); }
  bool may_heal() const override { return settings_.verb != "reset-failed"; }
  std::string needed_unit() const override { return settings_.unit; }
  std::optional<SystemdJob> systemd_job() const override { return SystemdJob{settings_.verb, settings_.unit}; }

 private:
  Settings settings_;
};

// "restart", or {verb: restart, unit: other.service}.
// With a type, if it has none.
std::string typed(const std::string& name) { return name.find('.') == std::string::npos ? name + ".service" : name; }

std::unique_ptr<const Action> parse(const config::Node& node, const std::string& path, const ActionOwner& owner,
                                    config::Errors& errors) {
  const std::size_t before = errors.size();
  Settings settings = schema().parse_or_word(node, &Settings::verb, path, errors);
  if (errors.size() > before) return nullptr;
  const config::Node verb = node.is_mapping() ? node.find("verb") : node;
  std::size_t index = 0;
  std::string why;
  if (!config::read_one_of(verb, verbs(), index, why)) errors.add(verb.mark(), path, why);
  if (settings.unit.empty()) settings.unit = owner.unit;
  if (settings.unit.empty())
    errors.add(
        node.mark(), path,
        fmt::format("service {} has no unit; set its unit, or write {{systemd: {{verb: {}, unit: NAME.service}}}}",
                    owner.service, settings.verb));
  else if (const std::size_t slash = settings.unit.rfind('/'); slash != std::string::npos)
    errors.add(
        node.mark(), path,
        fmt::format("'{}' is no unit name: a unit is named without folders{}", settings.unit,
                    slash + 1 < settings.unit.size() ? ", such as " + typed(settings.unit.substr(slash + 1)) : ""));
  else if (settings.unit.find('.') == std::string::npos)
    errors.add(
        node.mark(), path,
        fmt::format("'{}' is no unit name; write its type too, such as {}", settings.unit, typed(settings.unit)));
  if (errors.size() > before) return nullptr;
  return std::make_unique<Systemd>(std::move(settings));
}

}  // namespace

extern const ActionType systemd_type;
const ActionType systemd_type{
    "systemd",
    "Restarts, starts, stops or reloads a systemd unit, or clears its failed state, and waits "
    "for the job's result. A stop that somebody else has asked for is not overruled. Where a unit has hit its start "
    "limit, reset-failed goes before another try.",
    "{systemd: restart}", parse, []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace recover
