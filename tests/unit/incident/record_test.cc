#include "incident/record.h"

#include <doctest/doctest.h>

using std::chrono::seconds;

TEST_CASE("an incident comes back from its record as it was") {
  const base::WallTime at = base::wall_from_ms(1'700'000'000'123);
  model::Incident in;
  in.id = "inc_7";
  in.service = "order";
  in.started = at;
  in.down = true;
  in.last_down = at + seconds{1};
  in.calm_since = at + seconds{9};
  in.ended = at + seconds{9};
  in.end = model::IncidentEnd::healed;
  in.cause = {"http", "refused", "connect: \xff refused", "127.0.0.1:8081", "killed by SIGKILL", 503};
  in.dependents = {"gateway"};
  in.maintenance = true;
  model::Alert alert;
  alert.labels = model::Labels{{"alertname", "ServiceDown"}, {"service", "order"}};
  alert.state = model::AlertState::inactive;
  alert.active_at = at;
  alert.fired_at = at;
  alert.resolved_at = at + seconds{8};
  in.alerts = {alert};
  model::RecoveryReport run;
  run.id = "r1";
  run.actions.push_back({"systemd restart order.service", model::ActionStatus::ok, "", at, seconds{1}, true});
  run.ended = at + seconds{4};
  in.recoveries = {run};
  in.demands = {"order: look"};
  in.notes = {{at, "order is down"}};
  in.messages = {{"msg_1", "oncall", "page", "sent", at}};
  in.hold_until = at + seconds{120};
  in.told = at + seconds{2};
  in.why = "recovery r1 ended as failed";
  in.announced = true;
  const auto out = incident::parse_incident(incident::to_json(in));
  REQUIRE(out);
  CHECK(incident::to_json(*out) == [&] {
    model::Incident fit = in;  // bytes that are no UTF-8 do not come back
    fit.cause.text = "connect: \xEF\xBF\xBD refused";
    return incident::to_json(fit);
  }());
  CHECK(out->recoveries.front().actions.front().may_heal);
  CHECK(model::to_string(out->end) == "healed");
}

TEST_CASE("a record that is no incident is an error with a text") {
  for (const char* text : {"", "{}", "[]", R"({"id": 1})"}) {
    CAPTURE(text);
    const auto out = incident::parse_incident(text);
    REQUIRE_FALSE(out);
    CHECK(out.error().text.find("an incident cannot be read") == 0);
  }
}
