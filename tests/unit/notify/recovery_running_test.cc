// What Alertmanagers are told while a recovery may still mend a fault.
#include "notify/recovery_running.h"

#include "desk.h"
#include "incident_samples.h"

namespace {

std::string services(const std::map<std::string, model::Incident>& incidents, base::WallTime now = kStart) {
  std::string out;
  for (const auto& [labels, alert] : notify::recoveries_running(incidents, {}, now))
    out += labels.to_string() + " until " + base::format_iso8601(*alert.resolved_at) + "\n";
  return out;
}

struct Posted : Fixture {
  Posted()
      : Fixture(
            "{name: am, alertmanager_configs: [{urls: [\"http://am/\"]}]}, "
            "{name: ops, webhook_configs: [{url: \"http://ops/\"}]}") {}
  void now(const model::Incident& incident) {
    notifications->on_incident(incident);
    loop.run_due();
  }
  // RecoveryRunning as the last post had it; null if it was not in it.
  json running() {
    while (http.desk.waiting() > 0) {
      answer(200);
      loop.run_due();
    }
    json out;
    for (const http::HttpRequest& request : http.desk.asked())
      if (request.url.ends_with("/api/v2/alerts"))
        for (const json& alert : json::parse(request.body))
          if (alert["labels"]["alertname"] == "RecoveryRunning") out = alert;
    return out;
  }
};

}  // namespace

TEST_CASE("it runs while the incident is held, for the service and those that are down because of it") {
  model::Incident one = held();
  CHECK(services({{"i", one}}) ==
        "{alertname=\"RecoveryRunning\", service=\"order\", severity=\"none\"} until 2023-11-14T22:15:20Z\n");
  one.dependents = {"gateway"};
  model::Incident longer = held();
  longer.service = "gateway";
  longer.hold_until = kStart + seconds{200};
  const std::string both = services({{"i", one}, {"j", longer}});
  CHECK(std::count(both.begin(), both.end(), '\n') == 2);
  CHECK(both.find("service=\"gateway\", severity=\"none\"} until 2023-11-14T22:16:40Z") != std::string::npos);
  CHECK(services({{"i", told()}}) == "");
  CHECK(services({{"i", ended(held())}}) == "");
  CHECK(services({{"i", held()}}, kStart + seconds{120}) == "");
  model::Incident calm = held();
  calm.calm_since = kStart;
  CHECK(services({{"i", calm}}) == "");
}

TEST_CASE("an Alertmanager hears of it with its end, and of its end when people hear of the fault") {
  Posted f;
  f.now(held());
  const json begun = f.running();
  CHECK(begun["labels"]["service"] == "order");
  CHECK(begun["endsAt"] == "2023-11-14T22:15:20.000Z");
  CHECK(begun["startsAt"] == "2023-11-14T22:13:20.000Z");
  f.loop.advance(seconds{61});
  CHECK(f.running()["endsAt"] == "2023-11-14T22:15:20.000Z");
  f.now(told());
  CHECK(f.running()["endsAt"] == "2023-11-14T22:14:21.000Z");
}

TEST_CASE("it ends at its end, also where nothing is heard of the incident any more") {
  Posted f;
  f.now(held());
  f.loop.advance(seconds{150});
  CHECK(f.running()["endsAt"] == "2023-11-14T22:15:20.000Z");
  const std::size_t posts = f.sent();
  f.loop.advance(minutes{30});
  (void)f.running();
  f.loop.advance(minutes{30});
  CHECK(f.sent() - posts < 20);
}

TEST_CASE("people's receivers do not hear of it") {
  Posted f;
  f.now(held());
  (void)f.running();
  for (const http::HttpRequest& request : f.http.desk.asked()) CHECK(request.url == "http://am/api/v2/alerts");
}

TEST_CASE("an agent that starts again does not end it early") {
  Posted f;
  f.now(held());
  (void)f.running();
  f.start("{name: am, alertmanager_configs: [{urls: [\"http://am/\"]}]}", 2);
  f.loop.advance(seconds{5});
  CHECK(f.running()["endsAt"] == "2023-11-14T22:15:20.000Z");
}
