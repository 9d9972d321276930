#include "recover/plan/plan_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/edit_distance.h"
#include "config/agent_config.h"
#include "config/flow_text.h"
#include "config/redact.h"
#include "config/schema.h"
#include "recover/plan/run.h"
#include "recover/registry.h"

// Found by Schema through their type, whose namespace is this one.
namespace model {

static bool read(const config::Node& node, RecoveryMode& out, std::string& why) {
  std::size_t index = 0;
  if (!config::read_one_of(node, {"dry_run", "ask", "enforce"}, index, why)) return false;
  out = static_cast<RecoveryMode>(index);
  return true;
}
static std::string show(RecoveryMode mode) { return std::string(to_string(mode)); }

}  // namespace model

namespace recover {

// As above.
static bool read(const config::Node& node, OnFailure& out, std::string& why) {
  std::size_t index = 0;
  if (!config::read_one_of(node, {"escalate", "continue", "stop"}, index, why)) return false;
  out = static_cast<OnFailure>(index);
  return true;
}
static std::string show(OnFailure value) {
  return value == OnFailure::escalate ? "escalate" : value == OnFailure::proceed ? "continue" : "stop";
}

namespace {

struct StepSettings {
  config::Node place;
  config::Node action;
  base::Millis timeout{60'000};
  OnFailure on_failure = OnFailure::escalate;
  std::optional<Verify> verify;
  base::Millis slow_start{0};
};

struct PlanSettings {
  config::Node when;
  RecoveryMode mode = RecoveryMode::dry_run;
  base::Millis ask_timeout{1'800'000};
  base::Millis hold_for{120'000};
  GuardSettings guards;
  Budget budget;
  MaintenanceTimes maintenance;
  std::vector<StepSettings> steps, finally;
};

const auto& verify_schema() {
  static const auto s = config::Schema<Verify>("verify")
                            .optional("success_threshold", &Verify::success_threshold,
                                      "Good runs in a row that every probe of the service needs.")
                            .optional("within", &Verify::within, "Time for that, from the end of the action.")
                            .check([](const Verify& v, const config::Complain& complain) {
                              if (v.success_threshold < 1) complain("success_threshold", "must be at least 1");
                              if (v.within <= base::Millis{0}) complain("within", "must be longer than 0s");
                            });
  return s;
}

const auto& step_schema() {
  static const auto s =
      config::Schema<StepSettings>("step")
          .place(&StepSettings::place)
          .required("do", &StepSettings::action, "The action: a word, or one key with its settings.")
          .optional("timeout", &StepSettings::timeout, "How long the action may take.")
          .optional("on_failure", &StepSettings::on_failure,
                    "escalate: the next step is tried because this one failed; continue: the next step follows as if "
                    "it had worked; stop: give up. A failed verification counts as a failure.")
          .optional("verify", &StepSettings::verify, verify_schema(),
                    "Healthy again by this step? Then the plan is over; the later steps are not needed.")
          .optional("slow_start", &StepSettings::slow_start, "Of undrain: how long traffic takes to come back fully.")
          .check([](const StepSettings& s2, const config::Complain& complain) {
            if (s2.timeout <= base::Millis{0}) complain("timeout", "must be longer than 0s");
          });
  return s;
}

const auto& backoff_schema() {
  static const auto s =
      config::Schema<Backoff>("backoff")
          .optional("initial", &Backoff::initial, "Wait after the first failed run.")
          .optional("factor", &Backoff::factor, "Each further failure in a row multiplies the wait by this.")
          .optional("max", &Backoff::max, "Longest wait.")
          .optional("jitter", &Backoff::jitter, "Each wait is spread by this part of it, up and down.")
          .optional("reset_after", &Backoff::reset_after,
                    "So long healthy, and the wait starts anew and an exhausted plan may act again.")
          .check([](const Backoff& b, const config::Complain& complain) {
            if (!(b.factor >= 1)) complain("factor", "must be at least 1");
            if (!(b.jitter >= 0 && b.jitter < 1)) complain("jitter", "must be from 0 to below 1");
            if (b.max < b.initial) complain("max", "must not be shorter than initial");
          });
  return s;
}

const auto& budget_schema() {
  static const auto s =
      config::Schema<Budget>("budget")
          .optional("attempts", &Budget::attempts, "Runs of the plan that may start within the window.")
          .optional("within", &Budget::within, "The window; it slides.")
          .optional("backoff", &Budget::backoff, backoff_schema(), "Wait between a failed run and the next.")
          .check([](const Budget& b, const config::Complain& complain) {
            if (b.attempts < 1) complain("attempts", "must be at least 1; leave recovery out to never act");
            if (b.within <= base::Millis{0}) complain("within", "must be longer than 0s");
          });
  return s;
}

const auto& guards_schema() {
  static const auto s =
      config::Schema<GuardSettings>("guards")
          .custom("dependencies",
                  "healthy: nothing is restarted while a service of depends_on is down or failed its last probe; "
                  "they are probed anew before the first action that may heal. any: not asked.",
                  "healthy",
                  [](const config::Node& node, GuardSettings& g, const std::string& path, config::Errors& errors) {
                    std::size_t index = 0;
                    std::string why;
                    if (config::read_one_of(node, {"healthy", "any"}, index, why)) g.dependencies_healthy = index == 0;
                    else errors.add(node.mark(), path, why);
                  })
          .custom("min_uptime",
                  "Time that a start of the service gets before the next action; twice as much after each failed run "
                  "that left a start which has not got it ready.",
                  "30s; while a start has not got it ready, the unit's TimeoutStartSec, up to 90s, if that is longer",
                  [](const config::Node& node, GuardSettings& g, const std::string& path, config::Errors& errors) {
                    base::Millis time{0};
                    std::string why;
                    if (config::read(node, time, why)) g.min_uptime = time;
                    else errors.add(node.mark(), path, why);
                  })
          .optional("cooldown", &GuardSettings::cooldown, "Pause after a run that recovered the service.")
          .optional("agent_uptime", &GuardSettings::agent_uptime, "The agent itself must run so long.")
          .custom(
              "clean_stop",
              "respected: a unit that systemd says was stopped cleanly, not by fettle, is not fought, nor a container "
              "that was stopped by docker stop, nor a server that somebody took out of HAProxy; ignored: it is "
              "recovered all the same.",
              "respected",
              [](const config::Node& node, GuardSettings& g, const std::string& path, config::Errors& errors) {
                std::size_t index = 0;
                std::string why;
                if (config::read_one_of(node, {"respected", "ignored"}, index, why)) g.respects_clean_stop = index == 0;
                else errors.add(node.mark(), path, why);
              });
  return s;
}

void read_list_of_windows(const config::Node& node, MaintenanceTimes& times, const std::string& path,
                          config::Errors& errors) {
  if (!node.is_sequence()) return errors.add(node.mark(), path, config::expected("a list of windows", node));
  times.windows = read_windows(node, path, errors);
}

void read_zone(const config::Node& node, MaintenanceTimes& times, const std::string& path, config::Errors& errors) {
  auto zone = base::TimeZone::named(node.scalar());
  if (zone) times.zone = *std::move(zone);
  else errors.add(node.mark(), path, zone.error().text);
}

const auto& maintenance_schema() {
  static const auto s =
      config::Schema<MaintenanceTimes>("maintenance")
          .custom("windows",
                  "Times of the week in which nothing starts: \"Sun 02:00-04:00\", \"Mon-Fri 22:00-06:00\", or "
                  "\"02:00-04:00\" for every day.",
                  "[]", read_list_of_windows)
          .custom("time_zone", "Of the windows, such as Europe/Berlin; default: the machine's.", "", read_zone)
          .optional("pause_file", &MaintenanceTimes::pause_file,
                    "While this file exists nothing starts; default: /run/fettle/pause.d/SERVICE.");
  return s;
}

const auto& plan_schema() {
  static const auto s =
      config::Schema<PlanSettings>("recovery")
          .required("when", &PlanSettings::when,
                    "Labels of the alert that starts the plan; alert stands for alertname. The alert's service label "
                    "must name this service. Or the service's health, without an alert: {state: down, for: 3s}. With "
                    "flapping: {transitions: 6, within: 10m} a service whose health changes so often is drained and "
                    "not restarted, until a person says fettle ack or it was calm for so long.")
          .optional(
              "mode", &PlanSettings::mode,
              "dry_run: everything but the actions; ask: pages a person and waits for fettle recover; enforce: acts.")
          .optional("ask_timeout", &PlanSettings::ask_timeout, "In mode ask: how long it waits for the approval.")
          .optional("hold_for", &PlanSettings::hold_for,
                    "In mode ask or enforce: receivers with tell: unhealed wait for the outcome of the first run, at "
                    "most so long since the fault began. 0s: they are told at once.")
          .optional("guards", &PlanSettings::guards, guards_schema(), "Conditions that must hold before acting.")
          .optional("budget", &PlanSettings::budget, budget_schema(), "How often.")
          .optional("maintenance", &PlanSettings::maintenance, maintenance_schema(), "When people work on the service.")
          .list("steps", &PlanSettings::steps, step_schema(), "What to do, in order, until the service is healthy.")
          .list("finally", &PlanSettings::finally, step_schema(), "Always done at the end of a run.")
          .check([](const PlanSettings& p, const config::Complain& complain) {
            if (p.when.entries().empty()) complain("when", "must name an alert, such as {alert: ServiceDown}");
            if (p.ask_timeout <= base::Millis{0}) complain("ask_timeout", "must be longer than 0s");
            if (p.hold_for < base::Millis{0}) complain("hold_for", "must not be below 0s");
            if (p.steps.empty()) complain("steps", "must have at least one step, such as {do: {systemd: restart}}");
          });
  return s;
}

const auto& flapping_schema() {
  static const auto s =
      config::Schema<Flapping>("flapping")
          .optional("transitions", &Flapping::transitions, "Changes of the service's health within the window.")
          .optional("within", &Flapping::within, "The window.")
          .check([](const Flapping& f, const config::Complain& complain) {
            if (f.transitions < 2) complain("transitions", "must be at least 2: down and up again");
            if (f.within <= base::Millis{0}) complain("within", "must be longer than 0s");
          });
  return s;
}

// Labels of an alert, or {state: down, for: …}; flapping beside either.
void read_when(const config::Node& when, const std::string& path, PlanSpec& plan, config::Errors& errors) {
  if (!when.is_mapping()) {
    if (!when.is_null()) errors.add(when.mark(), path, config::expected("a mapping", when));
    return;
  }
  when.expose(config::Exposure::shown);  // names and labels of alerts, which everybody sees
  const bool by_health = !when.find("state").is_null() && when.find("alert").is_null();
  for (const auto& [key, value] : when.entries()) {
    const std::string& name = key.scalar();
    const std::string at = path + "." + name;
    std::string text, why;
    if (name == "flapping") plan.flapping = flapping_schema().parse(value, at, errors);
    else if (by_health && name == "state") {
      if (value.scalar() != "down")
        errors.add(value.mark(), at, fmt::format("'{}' is no reason to recover; write state: down", value.scalar()));
      if (!plan.when_down) plan.when_down = base::Millis{0};
    } else if (by_health && name == "for") {
      base::Millis wait{0};
      if (!config::read(value, wait, why)) errors.add(value.mark(), at, why);
      plan.when_down = wait;
    } else if (by_health) {
      errors.add(key.mark(), at, "does not go with state; there are: state, for, flapping");
    } else if (name == "state" || name == "for") {
      errors.add(key.mark(), at,
                 fmt::format("'{}' does not go with alert; write {{state: down, for: 3s}}, or only labels of the alert",
                             name));
    } else if (config::read(value, text, why)) {
      plan.when.emplace_back(name, text);
    } else {
      errors.add(value.mark(), at, why);
    }
  }
  std::sort(plan.when.begin(), plan.when.end());
  if (plan.when.empty() && !plan.when_down && !when.entries().empty())
    errors.add(when.mark(), path, "must name an alert, such as {alert: ServiceDown}, or {state: down, for: 3s}");
  if (plan.when_down && plan.probes.empty())
    errors.add(when.mark(), path, "the service has no probe that could tell its state");
}

std::unique_ptr<const Action> parse_action(const config::Node& node, const std::string& path, const ActionOwner& owner,
                                           config::Errors& errors) {
  std::string name;
  config::Node value, place = node;
  if (node.is_scalar()) {
    name = node.scalar();
    value = node;
  } else if (node.is_mapping() && node.entries().size() == 1) {
    place = node.entries().front().first;
    name = place.scalar();
    value = node.entries().front().second;
  } else {
    errors.add(node.mark(), path, "expected one action, such as {systemd: restart}; more actions are more steps");
    return nullptr;
  }
  if (const ActionType* type = action_types().find(name)) {
    if (value.is_scalar()) value.expose(config::Exposure::shown);  // a verb, a signal, what to tell people
    return type->parse(value, node.is_scalar() ? path : path + "." + name, owner, errors);
  }
  const std::string near = base::nearest(name, action_types().names());
  errors.add(place.mark(), path,
             fmt::format("unknown action '{}'; {}", name,
                         near.empty() ? "there are: " + action_types().list() : "did you mean " + near + "?"));
  return nullptr;
}

std::vector<Step> parse_steps(std::vector<StepSettings> list, Part where, const std::string& path,
                              const config::Service& settings, ActionOwner owner, config::Errors& errors) {
  std::vector<Step> out;
  for (std::size_t i = 0; i < list.size(); ++i) {
    StepSettings& s = list[i];
    if (s.action.is_null()) continue;  // said already
    const std::string at = fmt::format("{}[{}]", path, i);
    owner.slow_start = s.slow_start;
    owner.may_fail = where == Part::finally || s.on_failure == OnFailure::proceed;
    auto action = parse_action(s.action, at + ".do", owner, errors);
    if (s.slow_start.count() != 0 && !(s.action.is_scalar() && s.action.scalar() == "undrain"))
      errors.add(s.place.find("slow_start").mark(), at + ".slow_start", "only undrain has a slow_start");
    if (s.verify && where == Part::finally)
      errors.add(s.place.find("verify").mark(), at + ".verify", "a finally step is not verified; put verify on a step");
    else if (s.verify && settings.probes.empty())
      errors.add(s.place.find("verify").mark(), at + ".verify", "the service has no probe that could verify");
    if (!action) continue;
    std::string text = action->text();
    out.push_back(
        {std::move(text), std::move(action), s.timeout, s.on_failure, s.verify, config::secrets_of(s.action)});
  }
  return out;
}

bool has_step(const std::vector<Step>& list, std::string_view text) {
  return std::any_of(list.begin(), list.end(), [&](const Step& step) { return step.text == text; });
}

}  // namespace

std::optional<std::size_t> PlanSpec::first_healing() const {
  for (std::size_t i = 0; i < steps.size(); ++i)
    if (steps[i].action != nullptr && steps[i].action->may_heal()) return i;
  return std::nullopt;
}

std::optional<std::size_t> PlanSpec::step_of(const std::string& word) const {
  if (word.empty()) return first_healing();
  const std::size_t colon = word.find(':');
  const auto begins = [](std::string_view all, const std::string& with) {
    return all == with || all.starts_with(with + " ");
  };
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].action == nullptr || !steps[i].action->may_heal()) continue;
    const std::string& shown = steps[i].text;
    const std::size_t blank = shown.find(' ');
    const bool named =
        colon != std::string::npos && begins(shown, word.substr(0, colon) + " " + word.substr(colon + 1));
    const bool verb = colon == std::string::npos && blank != std::string::npos && !shown.starts_with("unit_hook ") &&
                      begins(std::string_view(shown).substr(blank + 1), word);
    if (named || verb) return i;
  }
  return std::nullopt;
}

const std::vector<config::KeyReference>& plan_reference() { return plan_schema().reference(); }

std::vector<std::string> PlanSpec::units() const {
  std::vector<std::string> out;
  const auto add = [&](const std::string& name) {
    if (!name.empty() && std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
  };
  add(unit);
  for (const Step& step : steps) {
    if (step.action == nullptr) continue;
    add(step.action->needed_unit());
    if (const auto job = step.action->systemd_job()) add(job->unit);
  }
  return out;
}

std::vector<std::string> PlanSpec::targets(const Step& step) const {
  std::vector<std::string> out;
  if (step.action == nullptr || !step.action->may_heal()) return out;
  const auto add = [&](std::string name) {
    if (!name.empty()) out.push_back(std::move(name));
  };
  add(unit);
  add(step.action->needed_unit());
  if (const auto job = step.action->systemd_job()) add(job->unit);
  add(step.action->target());
  return out;
}

std::unique_ptr<PlanSpec> parse_plan(const std::string& service, const config::Service& settings,
                                     config::Errors& errors) {
  if (settings.recovery.is_null()) return nullptr;
  const std::string path = config::service_path(service) + ".recovery";
  PlanSettings in = plan_schema().parse(settings.recovery, path, errors);
  auto plan = std::make_unique<PlanSpec>();
  plan->service = service;
  plan->unit = settings.unit;
  plan->depends_on = settings.depends_on;
  plan->text = config::flow_text(settings.recovery);
  plan->text += fmt::format(" {} {} {} {}", settings.unit, fmt::join(settings.depends_on, ","), settings.allow_reboot,
                            !settings.traffic.is_null());
  for (const config::Node& probe : settings.probes) {
    const std::string name = probe.find("name").scalar();
    plan->probes.push_back(name.empty() ? probe.find("type").scalar() : name);
  }
  read_when(in.when, path + ".when", *plan, errors);
  plan->ask_timeout = in.ask_timeout;
  plan->hold_for = in.hold_for;
  plan->mode = in.mode;
  plan->guards = in.guards;
  plan->budget = in.budget;
  plan->maintenance = std::move(in.maintenance);
  if (plan->maintenance.pause_file.empty()) plan->maintenance.pause_file = usual_pause_file(service);
  const bool has_traffic = !settings.traffic.is_null();
  ActionOwner owner{service, settings.unit, false, has_traffic};
  owner.may_reboot = settings.allow_reboot;
  plan->steps = parse_steps(std::move(in.steps), Part::steps, path + ".steps", settings, owner, errors);
  plan->finally = parse_steps(std::move(in.finally), Part::finally, path + ".finally", settings, owner, errors);
  if (has_traffic && has_step(plan->steps, "drain") && !has_step(plan->finally, "undrain"))
    errors.add(settings.recovery.find("steps").mark(), path + ".steps",
               "a plan that drains must give the traffic back: add {do: undrain} to finally");
  return plan;
}

}  // namespace recover
