// The state of a systemd unit, told by systemd itself over D-Bus: by event, and why it failed.
#include <algorithm>
#include <utility>

#include "loop/scheduler.h"
#include "os/systemd/systemd.h"
#include "probe/common/probe_schema.h"
#include "probe/common/values.h"
#include "probe/registry.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;
using os::UnitState;

struct SystemdSettings {
  std::string unit;
  std::vector<std::string> up_states{"active", "reloading"};
};

constexpr const char* kStates[] = {"active", "reloading", "inactive", "failed", "activating", "deactivating"};

const config::Schema<SystemdSettings>& schema() {
  static const auto schema =
      probe_schema<SystemdSettings>("systemd")
          .optional("unit", &SystemdSettings::unit, "Unit to look at. Default: the service's unit.")
          .reach(config::Reach::listed)
          .optional("up_states", &SystemdSettings::up_states,
                    "ActiveState values that mean up; a timer's service may rest in inactive.")
          .reach(config::Reach::listed)
          .check([](const SystemdSettings& settings, const config::Complain& complain) {
            if (settings.up_states.empty()) complain("up_states", "must have at least one state");
            for (const std::string& state : settings.up_states)
              if (std::find(std::begin(kStates), std::end(kStates), state) == std::end(kStates))
                complain("up_states",
                         "there is no state '" + state +
                             "'; states are active, reloading, inactive, failed, activating, deactivating");
          });
  return schema;
}

std::string in_words(const std::string& unit, const UnitState& state) {
  std::string text = unit + " is " + state.active + " (" + state.sub + ")";
  if (!state.result.empty() && state.result != "success") text += ", result " + state.result;
  if (state.restarts > 0) text += ", restarted " + std::to_string(state.restarts) + " times by systemd";
  return text;
}

// When the unit started, by the clock as it is now. What systemd says was true when it started; if the clock was set
// since, a unit would be hours old, or not have started yet, and recovery would wait for its minimum uptime.
double start_time(const UnitState& state, base::Instant now, base::WallTime wall_now) {
  const double said = static_cast<double>(state.active_enter_us) / 1e6;
  if (state.active_enter_monotonic_us == 0) return said;
  const double up = base::seconds(now.time_since_epoch()) - static_cast<double>(state.active_enter_monotonic_us) / 1e6;
  return settled(base::seconds(wall_now) - up, said);
}

Outcome judge(const SystemdSettings& settings, const UnitState& state, const loop::Scheduler& scheduler) {
  if (state.load == "not-found") return Outcome::failure(Reason::unit_failed, "systemd knows no unit " + settings.unit);
  const bool up =
      std::find(settings.up_states.begin(), settings.up_states.end(), state.active) != settings.up_states.end();
  std::string text = in_words(settings.unit, state);
  Outcome outcome = up ? Outcome::success(std::move(text)) : Outcome::failure(Reason::unit_failed, std::move(text));
  for (const char* name : kStates)
    outcome.measurements.push_back({"probe_systemd_unit_state", state.active == name ? 1.0 : 0.0, {{"state", name}}});
  outcome.measurements.push_back({"probe_systemd_unit_result", 1, {{"result", state.result}}});
  outcome.measurements.push_back({"probe_systemd_unit_restarts", static_cast<double>(state.restarts), {}});
  if (state.active_enter_us > 0)
    outcome.measurements.push_back(
        {"probe_systemd_unit_start_time_seconds", start_time(state, scheduler.now(), scheduler.wall_now()), {}});
  return outcome;
}

class SystemdProbe final : public Probe {
 public:
  SystemdProbe(const Context& context, const SystemdSettings& settings) : context_(context), settings_(settings) {}

  void start(base::Instant deadline, Done done) override {
    done_ = std::move(done);
    reading_ = context_.systemd.read_unit(settings_.unit, deadline, [this](base::Result<UnitState> state) {
      std::exchange(done_, nullptr)(state ? judge(settings_, *state, context_.scheduler) : refused(state.error()));
    });
  }

 private:
  static Outcome refused(const base::Error& error) {
    // That systemd cannot be asked says nothing bad about the unit; only its own word does. While it reads its units
    // again it is silent for longer than many a timeout.
    return Outcome::failure(error.kind == base::Kind::not_found ? Reason::unit_failed : Reason::agent_overloaded,
                            error.text);
  }

  const Context& context_;
  const SystemdSettings& settings_;
  Done done_;
  loop::Handle reading_;
};

class SystemdEvents final : public EventSource {
 public:
  SystemdEvents(const Context& context, const SystemdSettings& settings, OnEvent on_event)
      : context_(context), settings_(settings), on_event_(std::move(on_event)) {
    watching_ = context_.systemd.watch_unit(settings_.unit, [this](const base::Result<UnitState>& state) {
      connected_ = state.has_value();
      if (!state) return;
      const bool first = !before_;
      const bool changed = !first && (before_->active != state->active || before_->result != state->result ||
                                      before_->main_pid != state->main_pid || before_->restarts != state->restarts);
      before_ = *state;
      if (changed) on_event_({"systemd", in_words(settings_.unit, *state), context_.scheduler.now()});
    });
  }

  void describe(model::Outcome& outcome) const override {
    outcome.measurements.push_back({"probe_event_source_active", connected_ ? 1.0 : 0.0, {{"source", "systemd"}}});
  }

 private:
  const Context& context_;
  const SystemdSettings& settings_;
  OnEvent on_event_;
  bool connected_ = false;  // the last that was heard was a state
  std::optional<UnitState> before_;
  loop::Handle watching_;
};

class Systemd final : public Settings {
 public:
  explicit Systemd(SystemdSettings settings) : settings_(std::move(settings)) {}
  std::unique_ptr<Probe> make(const Context& context) const override {
    return std::make_unique<SystemdProbe>(context, settings_);
  }
  std::unique_ptr<EventSource> watch(const Context& context, OnEvent on_event) const override {
    return std::make_unique<SystemdEvents>(context, settings_, std::move(on_event));
  }
  std::string target() const override { return "unit " + settings_.unit; }

 private:
  SystemdSettings settings_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner& owner,
                                      config::Errors& errors) {
  SystemdSettings settings = schema().parse(node, path, errors);
  if (settings.unit.empty()) settings.unit = owner.unit;
  if (settings.unit.empty() && node.is_mapping())
    errors.add(node.mark(), path + ".unit", "needed, because the service has no unit");
  return std::make_unique<Systemd>(std::move(settings));
}

}  // namespace

const Type systemd_type{
    .name = "systemd",
    .summary = "Looks at a systemd unit: its state by event, with the result and the restarts that systemd counted.",
    .example = R"(name: unit
type: systemd
unit: order.service
interval: 5s
timeout: 1s
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_systemd_unit_state", "probe_systemd_unit_result", "probe_systemd_unit_restarts"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      return {{"unit", std::string(target)}};
    },
    .late = Reason::agent_overloaded,
    .other_measurements =
        std::vector<std::string_view>{"probe_systemd_unit_start_time_seconds", "probe_event_source_active"},
};

}  // namespace probe
