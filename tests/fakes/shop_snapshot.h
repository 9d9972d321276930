// The snapshot of a shop's node in the middle of things: one service down and being mended, one in maintenance, one in
// dry run, an alert firing and one pending, a refused reload. For golden files and for looking at the page.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/metric_family.h"
#include "web/snapshot.h"

namespace fakes {

inline constexpr std::int64_t kShopNow = 1'795'416'645'250;  // 2026-11-23T06:50:45.250Z

inline base::WallTime before(std::int64_t ms) { return base::wall_from_ms(kShopNow - ms); }

inline std::vector<bool> runs(std::size_t n, std::size_t failed_from, std::size_t failed_to) {
  std::vector<bool> out(n, true);
  for (std::size_t i = failed_from; i < failed_to && i < n; ++i) out[i] = false;
  return out;
}

inline web::ProbePage up_probe(std::string name, std::string type, std::string target, std::string text, double took) {
  web::ProbePage probe;
  probe.name = std::move(name);
  probe.type = std::move(type);
  probe.target = std::move(target);
  probe.text = std::move(text);
  probe.health = model::Health::up;
  probe.since = before(7'300'000);
  probe.last_run = before(400);
  probe.interval = base::Millis(1000);
  probe.took_seconds = took;
  probe.failure_threshold = 3;
  probe.history = runs(120, 0, 0);
  return probe;
}

inline web::ServicePage up_service(std::string name, std::string unit, std::vector<web::ProbePage> probes) {
  web::ServicePage service;
  service.name = std::move(name);
  service.unit = std::move(unit);
  service.labels = {{"tier", "trading"}};
  service.health = model::Health::up;
  service.since = before(7'300'000);
  service.recovery_mode = model::RecoveryMode::enforce;
  service.recovery_state = model::PlanState::idle;
  service.attempts_left = 3;
  service.probes = std::move(probes);
  return service;
}

inline web::Snapshot shop_services() {
  web::Snapshot shop;
  web::ProbePage http = up_probe("http", "http", "http://127.0.0.1:8081/healthz",
                                 "connect to 127.0.0.1:8081: connection refused", 0.0004);
  http.health = model::Health::down;
  http.since = before(3'100);
  http.reason = model::Reason::refused;
  http.consecutive_failures = 4;
  http.history = runs(120, 116, 120);
  web::ProbePage process = up_probe("process", "process", "/run/order.pid", "process 4711 is gone (signal 9)", 0.00006);
  process.health = model::Health::down;
  process.since = before(3'120);
  process.reason = model::Reason::process_gone;
  process.consecutive_failures = 1;
  process.failure_threshold = 1;
  process.history = runs(34, 33, 34);
  web::ServicePage order = up_service("order", "order.service", {http, process});
  order.health = model::Health::down;
  order.since = before(3'120);
  order.reason = model::Reason::process_gone;
  order.text = "process 4711 is gone (signal 9)";
  order.depends_on = {"redis", "inventory"};
  order.recovery_state = model::PlanState::verifying;
  order.recovery_next = "probes must say that it is healthy";
  order.recovery_guards = {{"maintenance", true, "off", {}},
                           {"budget", true, "2 of 3 attempts left in 15m", {}},
                           {"min_uptime", false, "started 2s ago, may take 30s to get ready, 28s to go",
                            base::wall_from_ms(1'763'880'674'000)}};
  order.recovery_steps = {"drain, at most 10s", "systemd restart order.service, at most 1m",
                          "finally undrain, at most 1m"};
  order.attempts_left = 2;

  web::ProbePage gateway = up_probe("https", "http", "https://shop.example/", "200 OK in 12 ms", 0.0123);
  gateway.phases = {
      {"resolve", 0.0007}, {"connect", 0.0004}, {"tls", 0.0061}, {"processing", 0.0046}, {"transfer", 0.0005}};
  gateway.history = runs(120, 80, 82);
  web::ProbePage payment = up_probe("http", "http", "http://127.0.0.1:8082/healthz", "no answer within 500 ms", 0.5);
  payment.consecutive_failures = 1;
  payment.reason = model::Reason::read_timeout;
  payment.history = runs(120, 119, 120);
  payment.phases = {{"connect", 0.0002}, {"processing", 0.4998}};
  web::ProbePage inventory = up_probe("http", "http", "http://127.0.0.1:8083/healthz", "200 OK in 2 ms", 0.0021);
  inventory.phases = {{"connect", 0.0002}, {"processing", 0.0018}, {"transfer", 0.0001}};
  web::ProbePage heartbeat = up_probe("beat", "heartbeat", "inventory", "last heartbeat 2 s ago", 0);
  heartbeat.health = model::Health::unknown;
  heartbeat.since = {};
  heartbeat.last_run.reset();
  heartbeat.history.clear();
  heartbeat.text = "";

  shop.services.push_back(up_service("gateway", "nginx.service", {gateway}));
  shop.services[0].depends_on = {"order", "payment"};
  shop.services.push_back(std::move(order));
  shop.services.push_back(up_service("payment", "payment.service", {payment}));
  shop.services[2].recovery_mode = model::RecoveryMode::dry_run;
  shop.services.push_back(up_service("inventory", "inventory.service", {inventory, heartbeat}));
  shop.services[3].maintenance = "anna: moving to the new disk until 08:00";
  web::ProbePage redis = up_probe("tcp", "tcp", "127.0.0.1:6379", "+PONG", 0.0003);
  redis.phases = {{"connect", 0.0001}, {"processing", 0.0002}};
  shop.services.push_back(up_service("redis", "redis-server.service", {redis}));
  shop.services[4].labels = {{"tier", "data"}, {"note", "<script>alert(1)</script> & \"quotes\""}};
  shop.services[4].recovery_mode.reset();
  return shop;
}

inline void add_alerts(web::Snapshot& shop) {
  model::Alert down;
  down.labels = {
      {"alertname", "ServiceDown"}, {"service", "order"}, {"severity", "page"}, {"instance", "shop-a1:10911"}};
  down.annotations = {{"summary", "order is down on shop-a1: process_gone"}};
  down.state = model::AlertState::firing;
  down.value = 1;
  down.active_at = before(3'110);
  down.fired_at = before(3'110);
  model::Alert slow;
  slow.labels = {{"alertname", "ServiceSlow"}, {"service", "payment"}, {"severity", "ticket"}};
  slow.annotations = {{"summary", "payment answers in 0.5 s, more than 0.3 s for 5 minutes"}};
  slow.state = model::AlertState::pending;
  slow.value = 0.5;
  slow.active_at = before(95'000);
  shop.alerts = {slow, down};

  web::RulePage rule{"ServiceDown",
                     "fettle_service_up == 0",
                     model::RuleType::alerting,
                     base::Millis(0),
                     base::Millis(30'000),
                     {{"severity", "page"}},
                     {{"summary", "{{ $labels.service }} is down"}},
                     model::RuleHealth::ok,
                     "",
                     before(600),
                     0.000213,
                     5,
                     {down}};
  web::RulePage slow_rule{"ServiceSlow",
                          "probe_duration_seconds > 0.3",
                          model::RuleType::alerting,
                          base::Millis(300'000),
                          base::Millis(0),
                          {{"severity", "ticket"}},
                          {},
                          model::RuleHealth::ok,
                          "",
                          before(600),
                          0.00018,
                          9,
                          {slow}};
  web::RulePage recording{"service:up:avg5m",
                          "avg_over_time(fettle_service_up[5m])",
                          model::RuleType::recording,
                          base::Millis(0),
                          base::Millis(0),
                          {},
                          {},
                          model::RuleHealth::err,
                          "vector contains metrics with the same labelset",
                          before(900),
                          0.0004,
                          0,
                          {}};
  web::RulePage mistyped{"CertificateEnds",
                         "probe_ssl_earliest_cert_expiry < 1.8e+09",
                         model::RuleType::alerting,
                         base::Millis(0),
                         base::Millis(0),
                         {},
                         {},
                         model::RuleHealth::ok,
                         "",
                         before(900),
                         0.0001,
                         0,
                         {},
                         before(7'400'000)};
  shop.rule_groups = {
      {"services", "/etc/fettle/rules/services.yml", base::Millis(5000), 0, before(600), 0.0004, {rule, slow_rule}},
      {"trends", "/etc/fettle/rules/trends.yml", base::Millis(60'000), 100, before(900), 7.2, {recording, mistyped}}};
}

inline void add_recoveries(web::Snapshot& shop) {
  using model::ActionStatus;
  using model::RecoveryMode;
  using model::RecoveryState;
  using std::chrono::milliseconds;
  model::RecoveryReport now{
      "9f2c",        "order", "alert ServiceDown", RecoveryMode::enforce, RecoveryState::verifying, "", 1, {},
      before(3'105), {}};
  now.actions = {{"drain", ActionStatus::ok, "order marked down in upstream order, nginx reloaded", before(3'100),
                  milliseconds(41)},
                 {"systemd restart", ActionStatus::ok, "order.service is active again, process 5120", before(3'050),
                  milliseconds(812)},
                 {"verify", ActionStatus::none, "2 of 3 successes in a row", before(2'200), milliseconds(2'200)}};
  model::RecoveryReport dry{"77aa", "payment", "alert ServiceDown", RecoveryMode::dry_run, RecoveryState::recovered, "",
                            1,      {},        before(4'000'000),   before(3'999'998)};
  dry.actions = {{"systemd restart", ActionStatus::would_run, "would restart payment.service", before(3'999'999),
                  milliseconds(1)}};
  model::RecoveryReport blocked{
      "51be", "order", "alert ServiceDown", RecoveryMode::enforce, RecoveryState::blocked, "dependencies",
      0,      {},      before(9'000'000),   before(8'990'000)};
  shop.recoveries = {now, dry, blocked};
}

inline void add_incidents(web::Snapshot& shop) {
  model::Incident open;
  open.id = "inc_5e1f";
  open.service = "order";
  open.started = before(5'000);
  open.down = true;
  open.cause = {"http",
                "refused",
                "connect to 127.0.0.1:8081: refused",
                "http://127.0.0.1:8081/healthz",
                "process 4711 was killed by SIGKILL",
                0};
  open.dependents = {"gateway"};
  open.notes = {{before(4'900), "order is down"}, {before(4'000), "gateway depends on it, and its alerts stand here"}};
  open.hold_until = before(-115'000);
  open.why = "recovery is at work";
  if (!shop.alerts.empty()) open.alerts = {shop.alerts.front()};
  if (!shop.recoveries.empty()) open.recoveries = {shop.recoveries.front()};
  model::Incident told = open;
  told.id = "inc_0a77";
  told.service = "payment";
  told.started = before(9'000'000);
  told.dependents.clear();
  told.recoveries.clear();
  told.hold_until.reset();
  told.told = before(8'999'000);
  told.why = "no recovery is configured for it";
  told.calm_since = told.ended = before(8'400'000);
  told.end = model::IncidentEnd::itself;
  told.messages = {{"msg_1", "ops", "page", "sent", before(8'998'000)},
                   {"msg_2", "ops", "resolved", "sent", before(8'370'000)}};
  shop.incidents = {std::make_shared<const model::Incident>(open), std::make_shared<const model::Incident>(told)};
}

inline std::vector<model::MetricFamily> shop_metrics() {
  return {{"fettle_service_up",
           "1 if the service is up, 0 if it is down.",
           model::MetricType::gauge,
           {{"", {{"service", "gateway"}}, 1}, {"", {{"service", "order"}}, 0}, {"", {{"service", "redis"}}, 1}}},
          {"probe_duration_seconds",
           "How long the last run took.",
           model::MetricType::gauge,
           {{"", {{"service", "gateway"}, {"probe", "https"}}, 0.0123}}}};
}

inline web::Snapshot shop_snapshot() {
  web::Snapshot shop = shop_services();
  shop.number = 42;
  shop.at = base::wall_from_ms(kShopNow);
  shop.node = "shop-a1";
  shop.version = "0.1.0";
  shop.started = before(7'400'000);
  shop.ready = true;
  add_alerts(shop);
  add_recoveries(shop);
  add_incidents(shop);
  shop.config = {
      "/etc/fettle/fettle.yml", "global:\n  interval: 5s\nreceivers:\n  - {name: ops, secret: <secret>}\n",
      before(7'400'000), false,
      "/etc/fettle/fettle.yml:12:9: services.order.probes[0].intervall: unknown key; did you mean interval?\n"
      "/etc/fettle/fettle.yml:15:18: services.order.recovery.mode: expected one of dry_run, ask, enforce, got "
      "'enforced'"};
  return shop;
}

// The same shop when nothing is the matter.
inline web::Snapshot calm_shop() {
  web::Snapshot shop = shop_snapshot();
  shop.alerts.clear();
  shop.recoveries.erase(shop.recoveries.begin());
  shop.incidents.erase(shop.incidents.begin());
  shop.config.last_reload_ok = true;
  shop.config.last_reload_error.clear();
  for (auto& group : shop.rule_groups)
    for (auto& rule : group.rules) {
      rule.alerts.clear();
      rule.health = model::RuleHealth::ok;
    }
  for (auto& service : shop.services) {
    service.health = model::Health::up;
    service.since = before(7'300'000);
    service.recovery_state.reset();
    if (service.recovery_mode) service.recovery_state = model::PlanState::idle;
    service.maintenance.reset();
    for (auto& probe : service.probes) {
      probe = up_probe(probe.name, probe.type, probe.target, probe.text, probe.took_seconds);
      probe.text = "ok";
    }
  }
  return shop;
}

}  // namespace fakes
