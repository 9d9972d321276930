#include "recover/reports.h"

#include <algorithm>

#include "base/log.h"
#include "recover/recovery_store.h"

namespace recover {

void Reports::say(const model::RecoveryReport& report) {
  const auto found = std::find_if(all_.begin(), all_.end(), [&](const auto& known) { return known.id == report.id; });
  if (found != all_.end()) *found = report;
  else all_.push_front(report);
  if (all_.size() > RecoveryStore::kReports) all_.pop_back();
  if (callbacks_.on_report) callbacks_.on_report(report);
}

void Reports::action_ended(const model::RecoveryReport& report) {
  const model::ActionReport& action = report.actions.back();
  if (action.result == ActionStatus::failed || action.result == ActionStatus::timeout ||
      action.result == ActionStatus::refused)
    base::log::warn("recovery action did not work", {{"service", report.service},
                                                     {"action", action.action},
                                                     {"result", std::string(to_string(action.result))},
                                                     {"text", action.text},
                                                     {"recovery", report.id}});
  if (callbacks_.on_action) callbacks_.on_action(report.service, action.action, action.result, report.mode);
}

void Reports::blocked(const std::string& service, GuardName reason) {
  base::log::info("recovery waits", {{"service", service}, {"reason", std::string(to_string(reason))}});
  if (callbacks_.on_blocked) callbacks_.on_blocked(service, reason);
}

void Reports::page(const PlanSpec& spec, const std::string& text) {
  base::log::warn("recovery tells people", {{"service", spec.service}, {"text", text}});
  if (page_ && spec.mode != RecoveryMode::dry_run) page_(spec.service, text);
}

void Reports::exhausted(const PlanSpec& spec, const std::string& text) {
  base::log::error("recovery exhausted", {{"service", spec.service}, {"text", text}});
  if (page_) page_(spec.service, "Recovery exhausted. " + text);
}

}  // namespace recover
