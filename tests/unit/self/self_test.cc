#include "self/self.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

// "name{labels} value" of every point whose name starts with `prefix`, sorted.
std::vector<std::string> points(const self::Self& self, const std::string& prefix) {
  std::vector<std::string> out;
  for (const model::MetricFamily& family : model::families_of(self.collect()))
    for (const model::MetricPoint& point : family.points)
      if (const std::string name = family.name + std::string(point.suffix); name.starts_with(prefix))
        out.push_back(name + point.labels.to_string() + " " + std::to_string(point.value));
  std::sort(out.begin(), out.end());
  return out;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("probe runs are counted by service and probe, failures by reason too") {
  self::Self self("1.2.3", "abc");
  self.probe_added("order", "http");
  CHECK(points(self, "fettle_probe_runs") ==
        Lines{R"(fettle_probe_runs_total{probe="http", service="order"} 0.000000)"});
  self.probe_finished("order", "http", model::Reason::none);
  self.probe_finished("order", "http", model::Reason::refused);
  self.probe_overrun("order", "http");
  self.probe_samples_left_out("order", "http", 3);
  CHECK(points(self, "fettle_probe_") ==
        Lines{R"(fettle_probe_failures_total{probe="http", reason="refused", service="order"} 1.000000)",
              R"(fettle_probe_overruns_total{probe="http", service="order"} 1.000000)",
              R"(fettle_probe_runs_total{probe="http", service="order"} 2.000000)",
              R"(fettle_probe_samples_left_out_total{probe="http", service="order"} 3.000000)"});
}

TEST_CASE("what is known before its first event is shown with zeros, and what was counted stays") {
  self::Self self("1.2.3", "abc");
  for (int loads = 0; loads < 2; ++loads) {
    self.probe_added("order", "http");
    self.failures_added("order", "http", model::Reason::agent_overloaded);
    self.recovery_added("order", "systemd restart", model::RecoveryMode::enforce);
    self.recovery_added("order", "alert page", model::RecoveryMode::dry_run);
    self.incidents_added("order");
    self.objective_added("order", "recover");
    self.notifications_added("ops", "", "sent");
    self.notifications_added("ops", "http://h", "retried");
    self.drops_added("ops", "too_old");
    self.rollouts_added("shops", "stopped");
    if (loads == 0) self.notified("ops", "http://h", "sent");
  }
  CHECK(points(self, "fettle_probe_failures") ==
        Lines{R"(fettle_probe_failures_total{probe="http", reason="agent_overloaded", service="order"} 0.000000)"});
  CHECK(
      points(self, "fettle_recovery") ==
      Lines{
          R"(fettle_recovery_actions_total{action="alert page", mode="dry_run", result="would_run", service="order"} 0.000000)",
          R"(fettle_recovery_actions_total{action="systemd restart", mode="enforce", result="failed", service="order"} 0.000000)",
          R"(fettle_recovery_actions_total{action="systemd restart", mode="enforce", result="ok", service="order"} 0.000000)",
          R"(fettle_recovery_actions_total{action="systemd restart", mode="enforce", result="refused", service="order"} 0.000000)",
          R"(fettle_recovery_actions_total{action="systemd restart", mode="enforce", result="timeout", service="order"} 0.000000)"});
  CHECK(points(self, "fettle_incidents_total") ==
        Lines{R"(fettle_incidents_total{end="healed", service="order"} 0.000000)",
              R"(fettle_incidents_total{end="itself", service="order"} 0.000000)",
              R"(fettle_incidents_total{end="person", service="order"} 0.000000)"});
  CHECK(points(self, "fettle_notification") ==
        Lines{R"(fettle_notification_requests_total{receiver="ops", result="retried", target="http://h"} 0.000000)",
              R"(fettle_notification_requests_total{receiver="ops", result="sent", target="http://h"} 1.000000)",
              R"(fettle_notifications_dropped_total{reason="too_old", receiver="ops"} 0.000000)",
              R"(fettle_notifications_total{receiver="ops", result="sent"} 1.000000)"});
  CHECK(points(self, "fettle_rollout") ==
        Lines{R"(fettle_rollout_events_total{event="stopped", group="shops"} 0.000000)"});
  CHECK(points(self, "fettle_detection_latency_seconds_count") ==
        Lines{R"(fettle_detection_latency_seconds_count{source="probe"} 0.000000)"});
  self.forget_rollouts("shops");
  CHECK(points(self, "fettle_rollout").empty());
}

TEST_CASE("series of a service that went away go, those of the others stay") {
  self::Self self("1.2.3", "abc");
  for (const char* service : {"order", "orders", "payment"}) {
    self.probe_finished(service, "http", model::Reason::refused);
    self.probe_finished(service, "tcp", model::Reason::none);
    self.recovery_action(service, "systemd restart", model::ActionStatus::ok, model::RecoveryMode::enforce);
    self.recovery_blocked(service, "budget");
  }
  self.forget_service("order");
  self.forget_probe("payment", "http");
  CHECK(points(self, "fettle_probe_runs") ==
        Lines{R"(fettle_probe_runs_total{probe="http", service="orders"} 1.000000)",
              R"(fettle_probe_runs_total{probe="tcp", service="orders"} 1.000000)",
              R"(fettle_probe_runs_total{probe="tcp", service="payment"} 1.000000)"});
  CHECK(points(self, "fettle_recovery").size() == 4);
  self.probe_finished("order", "http", model::Reason::none);
  CHECK(points(self, "fettle_probe_runs").size() == 4);
}

TEST_CASE("runs of a probe are counted by how long they took, in few buckets, until the probe goes") {
  self::Self self("1.2.3", "abc");
  for (const auto took : {5ms, 50ms, 500ms, 60'000ms}) self.probe_took("order", "http", took);
  self.probe_took("payment", "http", 1ms);
  CHECK(points(self, R"(probe_run_duration_seconds_bucket)").size() == 10);
  self.forget_service("payment");
  CHECK(points(self, "probe_run_duration") ==
        Lines{R"(probe_run_duration_seconds_bucket{le="+Inf", probe="http", service="order"} 4.000000)",
              R"(probe_run_duration_seconds_bucket{le="0.01", probe="http", service="order"} 1.000000)",
              R"(probe_run_duration_seconds_bucket{le="0.1", probe="http", service="order"} 2.000000)",
              R"(probe_run_duration_seconds_bucket{le="1", probe="http", service="order"} 3.000000)",
              R"(probe_run_duration_seconds_bucket{le="10", probe="http", service="order"} 3.000000)",
              R"(probe_run_duration_seconds_count{probe="http", service="order"} 4.000000)",
              R"(probe_run_duration_seconds_sum{probe="http", service="order"} 60.555000)"});
  self.forget_probe("order", "http");
  CHECK(points(self, "probe_run_duration").empty());
}

TEST_CASE("receivers and groups can be forgotten") {
  self::Self self("1.2.3", "abc");
  self.notified("ops", "http://h", "sent");
  self.notified("am", "http://a", "retried");
  self.notified("am", "", "silenced");
  self.notifications_dropped("ops", "too_old", 2);
  CHECK(points(self, "fettle_notifications_dropped") ==
        Lines{R"(fettle_notifications_dropped_total{reason="too_old", receiver="ops"} 2.000000)"});
  self.forget_receiver("ops");
  CHECK(points(self, "fettle_notification") ==
        Lines{R"(fettle_notification_requests_total{receiver="am", result="retried", target="http://a"} 1.000000)",
              R"(fettle_notifications_total{receiver="am", result="retried"} 1.000000)",
              R"(fettle_notifications_total{receiver="am", result="silenced"} 1.000000)"});
  self.rule_evaluated("g", 2ms, true);
  self.rule_evaluated("g", 2ms, false);
  CHECK(points(self, "fettle_rule_evaluation_failures") ==
        Lines{R"(fettle_rule_evaluation_failures_total{group="g"} 1.000000)"});
  self.forget_group("g");
  CHECK(points(self, "fettle_rule").empty());
}

TEST_CASE("durations of rules and groups are summaries as Prometheus has them") {
  self::Self self("1.2.3", "abc");
  for (int i = 0; i < 3; ++i) self.rule_evaluated("g", 2ms, true);
  self.rule_group_evaluated(8ms);
  CHECK(points(self, "prometheus_rule_") ==
        Lines{"prometheus_rule_evaluation_duration_seconds_count{} 3.000000",
              "prometheus_rule_evaluation_duration_seconds_sum{} 0.006000",
              R"(prometheus_rule_evaluation_duration_seconds{quantile="0.5"} 0.002000)",
              R"(prometheus_rule_evaluation_duration_seconds{quantile="0.9"} 0.002000)",
              R"(prometheus_rule_evaluation_duration_seconds{quantile="0.99"} 0.002000)",
              "prometheus_rule_group_duration_seconds_count{} 1.000000",
              "prometheus_rule_group_duration_seconds_sum{} 0.008000",
              R"(prometheus_rule_group_duration_seconds{quantile="0.01"} 0.008000)",
              R"(prometheus_rule_group_duration_seconds{quantile="0.05"} 0.008000)",
              R"(prometheus_rule_group_duration_seconds{quantile="0.5"} 0.008000)",
              R"(prometheus_rule_group_duration_seconds{quantile="0.9"} 0.008000)",
              R"(prometheus_rule_group_duration_seconds{quantile="0.99"} 0.008000)"});
}

TEST_CASE("the stall is the longest turn since the last publication") {
  self::Self self("1.2.3", "abc");
  for (const auto turn : {1ms, 7ms, 2ms}) self.loop_turn(turn);
  self.published();
  CHECK(points(self, "fettle_loop_stall") == Lines{"fettle_loop_stall_seconds{} 0.007000"});
  CHECK(points(self, "fettle_loop_turn_seconds_count") == Lines{"fettle_loop_turn_seconds_count{} 3.000000"});
  self.published();
  CHECK(points(self, "fettle_loop_stall") == Lines{"fettle_loop_stall_seconds{} 0.000000"});
  // There from the start: increase() is to see the first one.
  CHECK(points(self, "fettle_connections_left") == Lines{"fettle_connections_left_total{} 0.000000"});
  self.connections_left(2);
  self.connections_left(1);
  CHECK(points(self, "fettle_connections_left") == Lines{"fettle_connections_left_total{} 3.000000"});
}

TEST_CASE("what the store counts is taken over, never counted twice") {
  self::Self self("1.2.3", "abc");
  self.store_counts({.series = 3, .samples = 20, .bytes = 400, .refused_old = 5, .max_series = 100, .evicted = 2});
  self.store_counts({.series = 4,
                     .samples = 30,
                     .bytes = 500,
                     .refused_old = 7,
                     .refused_limit = 1,
                     .max_series = 100,
                     .evicted = 3,
                     .lost = 1});
  CHECK(points(self, "fettle_store") ==
        Lines{"fettle_store_bytes{} 500.000000", "fettle_store_evicted_total{} 3.000000",
              "fettle_store_lost_total{} 1.000000", "fettle_store_max_series{} 100.000000",
              R"(fettle_store_refused_total{reason="limit"} 1.000000)",
              R"(fettle_store_refused_total{reason="out_of_order"} 7.000000)", "fettle_store_samples{} 30.000000",
              "fettle_store_series{} 4.000000"});
}

TEST_CASE("a refused configuration keeps the time of the one that runs") {
  self::Self self("1.2.3", "abc");
  self.config_loaded(base::wall_from_ms(1'700'000'000'500));
  self.config_refused();
  CHECK(points(self, "fettle_config") ==
        Lines{"fettle_config_last_reload_success_timestamp_seconds{} 1700000000.500000",
              "fettle_config_last_reload_successful{} 0.000000"});
}

TEST_CASE("build information is an info, and histograms end with +Inf, sum and count") {
  self::Self self("1.2.3", "abc");
  self.detected("event", 4ms);
  bool seen_build = false, seen_latency = false;
  for (const model::MetricFamily& family : model::families_of(self.collect())) {
    if (family.name == "fettle_build") {
      seen_build = true;
      CHECK(family.type == model::MetricType::info);
      CHECK(family.points.at(0).labels.to_string() == R"({revision="abc", version="1.2.3"})");
    }
    if (family.name == "fettle_detection_latency_seconds") {
      seen_latency = true;
      CHECK(family.type == model::MetricType::histogram);
      const auto n = family.points.size();
      CHECK(family.points.at(n - 3).labels.get("le") == "+Inf");
      CHECK(family.points.at(n - 2).suffix == "_sum");
      CHECK(family.points.at(n - 1).suffix == "_count");
      CHECK(family.points.at(1).labels.get("le") == "0.0025");
    }
  }
  CHECK(seen_build);
  CHECK(seen_latency);
}

TEST_CASE("the process's own figures are there and have sense") {
  const self::Self self("1.2.3", "abc");
  std::set<std::string> names;
  for (const model::MetricFamily& family : model::families_of(self.collect()))
    if (family.name.starts_with("process_")) {
      CAPTURE(family.name);
      names.insert(family.name);
      CHECK(family.points.at(0).value >= 0);
      if (family.name == "process_start_time_seconds") CHECK(family.points.at(0).value > 1.6e9);
      if (family.name == "process_resident_memory_bytes") CHECK(family.points.at(0).value > 1e6);
    }
  CHECK(names == std::set<std::string>{"process_cpu_seconds", "process_max_fds", "process_open_fds",
                                       "process_resident_memory_bytes", "process_start_time_seconds", "process_threads",
                                       "process_virtual_memory_bytes"});
}

TEST_CASE("threads count while others forget and collect") {
  self::Self self("1.2.3", "abc");
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) self.probe_finished("order", "http", model::Reason::refused);
    });
  for (int i = 0; i < 200; ++i) {
    self.forget_service("order");
    (void)self.collect();
  }
  for (std::thread& thread : threads) thread.join();
  self.forget_service("order");
  CHECK(points(self, "fettle_probe").empty());
}
