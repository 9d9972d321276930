// What rehearsed faults need of the rest of the agent: when none may begin, who hears of it, and that no person takes
// one for real.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "app/agent.h"
#include "app/plan_work.h"
#include "base/log.h"
#include "model/annotations.h"

namespace app {
namespace {

using recover::Fault;

constexpr std::string_view kMark = "DRILL: ";

}  // namespace

void Agent::make_fault_drills() {
  recover::FaultDrillCallbacks callbacks;
  callbacks.target = [this](const std::string& name) -> std::optional<recover::FaultTarget> {
    for (const auto& [known, service] : config_.services) {
      if (known != name) continue;
      const auto plan = dispatcher_->status(name);
      return recover::FaultTarget{name,
                                  service.unit,
                                  plan ? std::optional(plan->mode) : std::nullopt,
                                  service.objectives.detect,
                                  service.objectives.locate,
                                  service.objectives.recover};
    }
    return std::nullopt;
  };
  callbacks.held = [this](const std::string& service) { return drill_held(service); };
  callbacks.ended = [this](const std::string& service) { return drill_ended(service); };
  callbacks.stopped = [this](const recover::FaultTarget& target) {
    return dispatcher_->stopped(target.service, target.unit).value_or("");
  };
  callbacks.begins = [this](const recover::FaultTarget& target, Fault fault) {
    if (fault == Fault::refuse) dispatcher_->drill(target.service, target.unit, recover::Dispatcher::Drilled::yes);
    audit_->add(model::AuditKind::recovery, "fettle", target.service,
                fmt::format("drill: {} is rehearsed at {}", to_string(fault), target.unit));
  };
  callbacks.is_over = [this](const recover::FaultTarget& target, Fault) {
    dispatcher_->drill(target.service, target.unit, recover::Dispatcher::Drilled::no);
  };
  callbacks.tell = [this](const std::string& service, const std::string& text) {
    told_of_drill_ = notifications_->page(service, text);
  };
  callbacks.untaken = [this] { return notifications_->untaken(told_of_drill_); };
  callbacks.quiet = [this](const std::string& service) {
    const auto alerts = rules_->known_alerts();
    return std::none_of(alerts.begin(), alerts.end(), [&](const auto& each) {
      return each.second.state == model::AlertState::firing && each.second.service() == service;
    });
  };
  callbacks.on_report = [this](const std::string& service, Fault fault, const recover::FaultReport& report) {
    on_fault_drill(service, fault, report);
  };
  callbacks.on_change = [this] { changed(); };
  fault_drills_ = std::make_unique<recover::FaultDrills>(recover::FaultDrillContext{loop_, systemd_, fleet_.slots()},
                                                         *state_, std::move(callbacks));
}

// Before a drill begins: nothing is wrong, nothing acts, and no person works on it.
std::string Agent::drill_held(const std::string& service) const {
  if (const std::string why = drill_ended(service); !why.empty()) return why;
  const model::Health health = health_table_.health(service);
  if (health != model::Health::up) return fmt::format("{} is {}", service, model::to_string(health));
  if (!incidents_->incident_of(service).empty()) return fmt::format("an incident of {} is open", service);
  for (const recover::PlanStatus& plan : dispatcher_->statuses())
    if (is_under_way(plan)) return fmt::format("the recovery of {} is under way", plan.service);
  for (const recover::DrillStatus& drill : drills_->statuses())
    if (!drill.doing.empty()) return fmt::format("the restore drill {} is under way", drill.spec->name);
  if (const auto why = service_view_.impairments(); !why.empty())
    return fmt::format("the agent does not trust what it saw lately: {}", why.front().text);
  return "";
}

// While it is under way.
std::string Agent::drill_ended(const std::string& service) const {
  if (const auto paused = dispatcher_->paused(service)) return *paused;
  if (dispatcher_->maintenance(service)) return service + " is in maintenance";
  for (const recover::PlanStatus& plan : dispatcher_->statuses())
    if (plan.service != service && is_under_way(plan))
      return fmt::format("the recovery of {} is under way", plan.service);
  for (const auto& [name, known] : config_.services) {
    if (name != service) continue;
    for (const std::string& dependency : known.depends_on)
      if (!incidents_->incident_of(dependency).empty())
        return fmt::format("an incident of {}, on which it depends, is open", dependency);
  }
  return "";
}

void Agent::on_fault_drill(const std::string& service, Fault fault, const recover::FaultReport& report) {
  told_of_drill_.clear();
  const std::string text =
      fmt::format("{}{}{}", to_string(report.result), report.text.empty() ? "" : ": ", report.text);
  audit_->add(model::AuditKind::recovery, "fettle", service, fmt::format("drill {}: {}", to_string(fault), text));
  using Result = recover::FaultResult;
  const bool calm = report.result == Result::passed || report.result == Result::interrupted;
  (calm ? base::log::info : base::log::warn)(
      "fault drill has ended", {{"service", service}, {"fault", std::string(to_string(fault))}, {"text", text}});
  changed();
}

// Labels stay as they are: the alert is the one that it would be.
std::vector<model::AlertTransition> Agent::marked(std::vector<model::AlertTransition> transitions) const {
  for (model::AlertTransition& each : transitions) {
    const auto fault = fault_drills_->rehearsed(std::string(each.alert.service()));
    if (!fault) continue;
    model::Labels& said = each.alert.annotations;
    const std::string summary(model::summary_of(said));
    said = said.with("summary", std::string(kMark) + (summary.empty() ? std::string(each.alert.name()) : summary))
               .with("drill", std::string(to_string(*fault)));
  }
  return transitions;
}

std::string Agent::marked(const std::string& service, const std::string& text) const {
  return fault_drills_->rehearsed(service) ? std::string(kMark) + text : text;
}

}  // namespace app
