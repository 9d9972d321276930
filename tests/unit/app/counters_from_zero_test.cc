#include "app/counters_from_zero.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "fakes/temporary_folder.h"
#include "model/metric_family.h"
#include "self/self.h"

namespace {

constexpr const char* kConfig = R"(
fleet: {peers: {urls: ["http://127.0.0.1:1", "http://127.0.0.1:2"]}}
services:
  order:
    unit: order.service
    fleet: {group: shops}
    objectives: {recover: 10m}
    probes:
      - {name: http, type: http, url: "http://127.0.0.1:1/"}
      - {name: beat, type: heartbeat, every: 1s}
    recovery:
      when: {alert: Down}
      mode: enforce
      steps: [{do: {systemd: restart}}, {do: {alert: page}}]
receivers:
  - {name: ops, fallback: {receiver: am, after: 5m}, webhook_configs: [{url: "http://127.0.0.1:1/hook"}]}
  - {name: am, alertmanager_configs: [{urls: ["http://127.0.0.1:1", "http://127.0.0.1:2"]}]}
)";

// How many counters there are of each name, all of them at zero.
std::vector<std::string> zeros(const self::Self& self) {
  std::map<std::string, int> found;
  for (const model::MetricFamily& family : model::families_of(self.collect())) {
    if (family.type != model::MetricType::counter || family.name.starts_with("process_")) continue;
    for (const model::MetricPoint& point : family.points) {
      const std::string series = family.name + point.labels.to_string();
      CAPTURE(series);
      CHECK(point.value == 0);
      if (!point.labels.empty()) ++found[family.name];
    }
  }
  std::vector<std::string> out;
  for (const auto& [name, count] : found) out.push_back(name + " " + std::to_string(count));
  return out;
}

}  // namespace

TEST_CASE("counters of all that is configured are there with zeros, and few of each") {
  const fakes::TemporaryFolder folder;
  config::Errors errors;
  const app::LoadedConfig loaded = app::load(folder.write("fettle.yml", kConfig), errors);
  REQUIRE(errors.text() == "");
  self::Self self("1.2.3", "abc");
  app::count_from_zero(self, loaded);
  CHECK(zeros(self) == std::vector<std::string>{
                           "fettle_incident_objectives_missed 1",  // recover
                           "fettle_incidents 3",                   // healed, itself, person
                           // Of ops: sent, retried, refused at one target; of am at two.
                           "fettle_notification_requests 9",
                           // Of ops: those three, silenced, parked, fallback; of am without the last two.
                           "fettle_notifications 10",
                           "fettle_notifications_dropped 6",  // of ops
                           "fettle_probe_failures 3",         // agent_overloaded twice, heartbeat_missed
                           "fettle_probe_overruns 2",
                           "fettle_probe_runs 2",
                           "fettle_probe_samples_left_out 2",
                           "fettle_recovery_actions 8",  // two actions: ok, failed, timeout, refused
                           "fettle_rollout_events 8",
                       });
  // A reload adds nothing and forgets nothing.
  self.incident_ended("order", "healed", std::chrono::seconds(1));
  app::count_from_zero(self, loaded);
  const auto families = model::families_of(self.collect());
  const auto incidents = std::find_if(families.begin(), families.end(),
                                      [](const model::MetricFamily& f) { return f.name == "fettle_incidents"; });
  REQUIRE(incidents != families.end());
  double all = 0;
  for (const model::MetricPoint& point : incidents->points) all += point.value;
  CHECK(all == 1);
}
