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
  in.notes = {model::health_note(at, {"order", true}, "refused"),
              {at, "blocked"},
              model::health_note(at, {"order", false}, "")};
  in.messages = {{"msg_1", "oncall", "page", "sent", at}};
  in.hold_until = at + seconds{120};
  in.told = at + seconds{2};
  in.why = "its last recovery ended as failed";
  in.announced = true;
  in.drill = "hang";
  in.detected = at + seconds{1};
  in.located = at + seconds{2};
  in.missed = {"recover"};
  const auto out = incident::parse_incident(incident::to_json(in));
  REQUIRE(out);
  CHECK(incident::to_json(*out) == [&] {
    model::Incident fit = in;  // bytes that are no UTF-8 do not come back
    fit.cause.text = "connect: \xEF\xBF\xBD refused";
    return incident::to_json(fit);
  }());
  CHECK(out->recoveries.front().actions.front().may_heal);
  CHECK(model::to_string(out->end) == "healed");
  CHECK(out->missed == in.missed);
  CHECK(out->notes[0].health->down);
  CHECK(!out->notes[1].health);
  CHECK((out->notes[2].health->service == "order" && !out->notes[2].health->down));
  CHECK(model::headline(*out).starts_with("DRILL: order"));
}

TEST_CASE("an incident is judged by the objectives of its service, from its first failed run") {
  using base::Millis;
  const base::WallTime at = base::wall_from_ms(1'700'000'000'000);
  model::Incident incident;
  incident.started = at;
  incident.ended = at + seconds{700};
  const model::IncidentObjectives wanted{Millis{60'000}, Millis{300'000}, Millis{600'000}};
  const auto missed = [&] {
    std::string out;
    for (const auto& each : model::missed_objectives(incident, wanted)) out += each.text + "\n";
    return out;
  };
  // It never was down: there was nothing to detect.
  CHECK(missed() == "recover took 11m40s of 10m\n");
  incident.detected = at + seconds{72};
  CHECK(missed() == "detect took 1m12s of 1m\nlocate did not come within 5m\nrecover took 11m40s of 10m\n");
  incident.detected = at + seconds{60};
  incident.located = at + seconds{61};
  incident.ended = at + seconds{600};
  CHECK(missed().empty());
  CHECK(model::missed_objectives(incident, {}).empty());
}

TEST_CASE("what is tried again and again in the same way is said once, with how often") {
  model::RecoveryReport refused;
  refused.mode = model::RecoveryMode::enforce;
  refused.attempt = 1;
  refused.state = model::RecoveryState::failed;
  refused.actions.push_back({"command fix", model::ActionStatus::refused, "no such file", {}, {}, true});
  refused.ended = base::WallTime{};
  model::RecoveryReport worked = refused;
  worked.actions.front() = {"command fix", model::ActionStatus::ok, "", {}, {}, true};
  worked.state = model::RecoveryState::recovered;
  model::Incident incident;
  incident.recoveries = {refused, refused, refused, worked};
  CHECK(model::tried(incident) ==
        "attempt 1: command fix refused (no such file), failed, 3 times; attempt 1: command fix ok, recovered");
}

TEST_CASE("a record that is no incident is an error with a text") {
  for (const char* text : {"", "{}", "[]", R"({"id": 1})"}) {
    CAPTURE(text);
    const auto out = incident::parse_incident(text);
    REQUIRE_FALSE(out);
    CHECK(out.error().text.find("an incident cannot be read") == 0);
  }
}
