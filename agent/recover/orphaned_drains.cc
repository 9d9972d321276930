#include "recover/orphaned_drains.h"

#include <utility>

#include "base/log.h"
#include "loop/scheduler.h"

namespace recover {

void OrphanedDrains::check(const std::string& service) {
  if (context_.traffic_controller == nullptr || !context_.traffic_controller->left_drained(service)) return;
  Undrain& undrain = undrains_[service] = {};
  undrain.report.id = random_.identifier();
  undrain.report.service = service;
  undrain.report.trigger = "it was left without its traffic";
  undrain.report.mode = RecoveryMode::enforce;
  undrain.report.state = RecoveryState::acting;
  undrain.report.started = context_.scheduler.wall_now();
  base::log::warn("the service was left without its traffic; giving it back", {{"service", service}});
  reports_.say(undrain.report);
  attempt(service);
}

void OrphanedDrains::attempt(const std::string& service) {
  const base::Instant now = context_.scheduler.now();
  undrains_.at(service).handle = context_.traffic_controller->apply(
      service, {Flow::live, base::Millis{0}, now + kLimit},
      [this, service, now](const ActionResult& result) { ended(service, now, result); });
}

void OrphanedDrains::ended(const std::string& service, base::Instant began, const ActionResult& result) {
  const auto found = undrains_.find(service);
  if (found == undrains_.end()) return;
  const loop::Handle own = std::move(found->second.handle);  // who calls lives in it
  model::RecoveryReport& report = found->second.report;
  const bool ok = result.result == ActionStatus::ok;
  // The newest try is told, and each time that its text changes: not one line every ten seconds.
  const bool news = report.actions.empty() || report.actions[0].text != result.text || ok;
  const base::Duration took = context_.scheduler.now() - began;
  report.actions = {{"undrain", result.result, result.text,
                     context_.scheduler.wall_now() - std::chrono::duration_cast<base::Millis>(took), took}};
  if (ok) {
    report.state = RecoveryState::recovered;
    report.ended = context_.scheduler.wall_now();
    base::log::info("traffic is back", {{"service", service}, {"text", result.text}});
  } else if (news) {
    base::log::error("traffic could not be given back; trying again", {{"service", service}, {"text", result.text}});
  }
  if (news) {
    reports_.action_ended(report);
    reports_.say(report);
  }
  if (ok) {
    undrains_.erase(found);
    return;
  }
  found->second.handle = context_.scheduler.after(kAgain, [this, service] {
    const auto there = undrains_.find(service);
    if (there == undrains_.end()) return;
    const loop::Handle timer = std::move(there->second.handle);
    if (context_.traffic_controller->left_drained(service)) attempt(service);
    else undrains_.erase(there);
  });
}

}  // namespace recover
