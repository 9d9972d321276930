// One fault of the service order, as it is held, told and over.
#pragma once

#include <string>

#include "model/incident.h"

namespace {

const base::WallTime kStart = base::wall_from_ms(1'700'000'000'000);

model::Alert down(model::AlertState state = model::AlertState::firing) {
  model::Alert alert;
  alert.labels = model::Labels{{"alertname", "ServiceDown"}, {"service", "order"}, {"severity", "page"}};
  alert.state = state;
  alert.active_at = kStart;
  alert.fired_at = kStart;
  if (state == model::AlertState::inactive) alert.resolved_at = kStart + std::chrono::seconds{9};
  return alert;
}

model::RecoveryReport failed(const std::string& id) {
  model::RecoveryReport run;
  run.id = id;
  run.service = "order";
  run.mode = model::RecoveryMode::enforce;
  run.state = model::RecoveryState::failed;
  run.attempt = 1;
  run.actions.push_back(
      {"systemd restart order.service", model::ActionStatus::failed, "it did not start", kStart, {}, true});
  run.ended = kStart + std::chrono::seconds{5};
  return run;
}

model::Incident held() {
  model::Incident out;
  out.id = "inc_1";
  out.service = "order";
  out.started = kStart;
  out.down = true;
  out.cause = {"http", "refused", "connect: refused", "http://127.0.0.1:8081/healthz", "", 0};
  out.alerts = {down()};
  out.hold_until = kStart + std::chrono::seconds{120};
  out.why = "recovery is at work";
  return out;
}

model::Incident told() {
  model::Incident out = held();
  out.recoveries = {failed("r1")};
  out.told = kStart + std::chrono::seconds{5};
  out.why = "its last recovery ended as failed";
  return out;
}

model::Incident ended(model::Incident from, model::IncidentEnd end = model::IncidentEnd::healed) {
  from.down = false;
  from.alerts = {down(model::AlertState::inactive)};
  from.calm_since = from.ended = kStart + std::chrono::seconds{9};
  from.end = end;
  return from;
}

}  // namespace
