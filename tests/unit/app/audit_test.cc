// `fettle audit`: a node beside a configuration. Ten services with fourteen planted gaps: all are found, none is
// invented.
#include "app/audit/audit.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "app/audit/watch.h"
#include "app/loaded_config.h"
#include "app/series_sources.h"
#include "fakes/source_file.h"
#include "fakes/temporary_folder.h"
#include "probe/spec.h"
#include "unit/app/nodes.h"

namespace {

using nodes::connected;
using nodes::listening;
using nodes::process;
using Lines = std::vector<std::string>;

// Ten services, and what belongs to every node: ssh, systemd, fettle with its own port and its probes, a client, a
// server of the loopback with a number that the kernel gave.
app::NodeView ten_services() {
  app::NodeView node;
  node.host_name = "shop1";
  node.addresses = {"127.0.0.1", "::1", "10.0.0.5"};
  node.processes = {process(10, "nginx", 0, "nginx.service", {100, 101, 102, 103}),
                    process(20, "java", 1001, "order.service", {200, 201, 202, 203, 204, 205}),
                    process(30, "java", 1002, "payment.service", {300, 301, 302}),
                    process(40, "java", 1003, "inventory.service", {400, 401}),
                    process(50, "redis-server", 1004, "redis-server.service", {500}),
                    process(60, "postgres", 1005, "postgresql.service", {600}),
                    process(70, "beam.smp", 1006, "rabbitmq-server.service", {700}),
                    process(80, "java", 1007, "search.service", {800}),
                    process(90, "worker", 1008, "billing@eu.service"),
                    process(1, "sshd", 0, "ssh.service", {1}),
                    process(2, "systemd-resolve", 101, "systemd-resolved.service", {2}),
                    process(3, "fettle", 105, "fettle.service", {3, 31, 32}),
                    process(4, "containerd", 0, "containerd.service", {4}),
                    process(5, "psql", 1000, "", {5}),
                    process(6, "cron", 0, "cron.service"),
                    process(7, "postgres", 1005, "postgresql.service", {7})};
  node.own_units = {"billing@.service", "order.service", "payment.service"};
  node.listening = {listening("0.0.0.0", 80, 100),       listening("::", 80, 100),
                    listening("127.0.0.1", 8081, 200),   listening("0.0.0.0", 9100, 201),
                    listening("127.0.0.1", 41'001, 205), listening("10.0.0.5", 8082, 300),
                    listening("::", 8083, 400),          listening("127.0.0.1", 6379, 500),
                    listening("127.0.0.1", 5432, 600),   listening("0.0.0.0", 5672, 700),
                    listening("127.0.0.1", 9200, 800),   listening("0.0.0.0", 4711, 900),
                    listening("0.0.0.0", 22, 1),         listening("127.0.0.53", 53, 2),
                    listening("0.0.0.0", 10'911, 3),     listening("127.0.0.1", 41'002, 4)};
  node.established = {connected(101, "127.0.0.1", 8081), connected(102, "10.0.0.5", 8082),
                      connected(202, "127.0.0.1", 6379), connected(203, "127.0.0.1", 5672),
                      connected(301, "127.0.0.1", 5432), connected(401, "::ffff:127.0.0.1", 5432),
                      connected(204, "192.0.2.9", 443),  connected(31, "127.0.0.1", 8081),
                      connected(32, "127.0.0.1", 6379),  connected(5, "127.0.0.1", 5432)};
  return node;
}

// Everything is watched, mended and told.
constexpr char kServices[] = R"(
global: {node: n1}
rule_files: [rules.yml]
services:
  fettle:
    probes: [{name: http, type: http, url: "http://127.0.0.1:10911/-/healthy"}]
  edge:
    unit: nginx.service
    probes: [{name: http, type: http, url: "http://shop1.example:80/"}]
    recovery: &plan {when: {alert: ServiceDown}, steps: [{do: {systemd: restart}}]}
  order:
    unit: order.service
    depends_on: [redis, rabbitmq]
    probes:
      - {name: http, type: http, url: "http://user:secret@localhost:8081/healthz"}
      - {name: queue, type: listener, port: 9100}
    traffic: {file: {path: DIR/order.down}}
    recovery: *plan
  payment:
    depends_on: [postgres]
    unit: payment.service
    probes: [{name: tcp, type: tcp, host: 10.0.0.5, port: 8082}]
    traffic: {file: {path: DIR/payment.down}}
    recovery: *plan
  inventory:
    depends_on: [postgres]
    unit: inventory.service
    probes: [{name: calls, type: sockets, ports: [8083]}]
    recovery: *plan
  redis:
    unit: redis-server.service
    probes: [{name: redis, type: redis, host: 127.0.0.1, port: 6379}]
    recovery: *plan
  postgres:
    unit: postgresql.service
    probes: [{name: tcp, type: tcp, host: 127.0.0.1, port: 5432}]
    recovery: *plan
    objectives: {rto: 1h}
  rabbitmq:
    unit: rabbitmq-server.service
    probes: [{name: tcp, type: tcp, host: 127.0.0.1, port: 5672}]
    recovery: *plan
  search:
    unit: search.service
    probes: [{name: http, type: http, url: "http://127.0.0.1:9200/"}]
    recovery: *plan
  billing:
    probes: [{name: process, type: process, unit: billing@eu.service}]
    recovery: {when: {alert: ServiceDown}, steps: [{do: {command: {argv: [/bin/true]}}}]}
  legacy:
    probes: [{name: tcp, type: tcp, host: 127.0.0.1, port: 4711}]
    recovery: {when: {alert: ServiceDown}, steps: [{do: {command: {argv: [/bin/true]}}}]}
drills:
  db: {service: postgres, scratch: /s/db, command: {argv: [/bin/true]}}
route:
  receiver: void
  routes:
    - {receiver: void, matchers: ['alertname="Watchdog"']}
    - {receiver: dba, matchers: ['team="dba"'], continue: true}
    - {receiver: ops, matchers: ['severity=~"critical|page|warning"']}
receivers:
  - {name: void}
  - {name: ops, tell: unhealed, webhook_configs: [{url: "http://127.0.0.1:1/"}], fallback: {receiver: spare, after: 5m}}
  - {name: dba, tell: all, webhook_configs: [{url: "http://127.0.0.1:1/"}]}
  - {name: spare, webhook_configs: [{url: "http://127.0.0.1:1/"}]}
  - {name: am, alertmanager_configs: [{urls: ["http://127.0.0.1:9093"]}]}
)";
constexpr char kRules[] = R"(
groups:
  - name: shop
    rules:
      - {alert: ServiceDown, expr: fettle_service_up == 0, labels: {severity: critical}}
      - {alert: HeartbeatMissed, expr: 'increase(fettle_probe_failures_total{reason="heartbeat_missed"}[5m]) > 0', labels: {severity: warning, service: order}}
      - {alert: RedisSlow, expr: 'probe_duration_seconds{service="redis"} > 1', labels: {severity: critical, team: dba}}
      - {alert: Watchdog, expr: vector(1), labels: {severity: none}}
      - {alert: MesosTasksLost, expr: 'increase(probe_json_value{name="slave/tasks_lost"}[10m]) > 0', labels: {severity: ticket}}
)";

struct Edit {
  std::string of, by;  // text of the configuration or of the rules
};

std::vector<app::Finding> found(const app::NodeView& node, const std::vector<Edit>& edits, std::string text = kServices,
                                std::string rules = kRules) {
  const fakes::TemporaryFolder folder;
  for (const Edit& edit : edits) {
    const bool of_rules = text.find(edit.of) == std::string::npos;
    std::string& in = of_rules ? rules : text;
    const std::size_t at = in.find(edit.of);
    REQUIRE_MESSAGE(at != std::string::npos, edit.of);
    in.replace(at, edit.of.size(), edit.by);
  }
  for (std::size_t at = 0; (at = text.find("DIR", at)) != std::string::npos;) text.replace(at, 3, folder.path());
  folder.write("rules.yml", rules);
  config::Errors errors;
  const app::LoadedConfig loaded = app::load(folder.write("fettle.yml", text), errors);
  REQUIRE(errors.text() == "");
  return app::find_gaps(node, loaded, app::series_sources(loaded));
}

// "critical no-service services: rabbitmq-server.service listens on …"
Lines lines(const std::vector<app::Finding>& findings) {
  Lines out;
  for (const app::Finding& each : findings)
    out.push_back(fmt::format("{} {} {}: {}", to_string(each.severity), to_string(each.gap), each.path, each.what));
  std::sort(out.begin(), out.end());
  return out;
}

std::string removed(const std::string& name) {  // the service as kServices has it
  const std::string text = kServices;
  const std::size_t at = text.find("  " + name + ":\n");
  std::size_t end = text.find('\n', at) + 1;
  while (text.compare(end, 4, "    ") == 0) end = text.find('\n', end) + 1;
  return text.substr(at, end - at);
}

// Each makes one gap in the whole configuration.
struct Planted {
  std::string gap;
  std::vector<Edit> edits;
};
const std::vector<Planted>& planted() {
  static const std::vector<Planted> all{
      {"critical no-service services: rabbitmq-server.service listens on 127.0.0.1:5672, order is connected to it: no "
       "service has it, and no probe",
       {{removed("rabbitmq"), ""}, {"[redis, rabbitmq]", "[redis]"}}},
      {"warning no-service services: billing@eu.service runs: no service has it, and no probe",
       {{removed("billing"), ""}}},
      {"warning no-service services: a process that is not known listens on 127.0.0.1:4711: no service has it, and no "
       "probe",
       {{removed("legacy"), ""}}},
      {"info no-probe services.order.probes: order.service listens on 127.0.0.1:9100 too, and no probe asks there",
       {{"      - {name: queue, type: listener, port: 9100}\n", ""}}},
      {"critical no-probe services.search.probes: search has no probe: whether it works is not known",
       {{"    probes: [{name: http, type: http, url: \"http://127.0.0.1:9200/\"}]\n    recovery: *plan\n", ""}}},
      {"warning no-dependency services.order.depends_on: order is connected to redis on port 6379, and does not depend "
       "on it",
       {{"[redis", "[inventory"}}},
      {"warning no-dependency services.payment.depends_on: payment is connected to postgres on port 5432, and does not "
       "depend on it",
       {{"  payment:\n    depends_on: [postgres]\n", "  payment:\n"}}},
      {"warning no-plan services.inventory.recovery: inventory is watched, and nothing mends it",
       {{"ports: [8083]}]\n    recovery: *plan\n", "ports: [8083]}]\n"}}},
      {"warning no-drain services.payment.traffic: edge sends requests to payment, and the plan cannot drain it: it "
       "has "
       "no traffic",
       {{"    traffic: {file: {path: DIR/payment.down}}\n", ""}}},
      {"critical no-rule services.postgres: no alert of rule_files can be about postgres: no person is told that it is "
       "down",
       {{"fettle_service_up == 0", "'fettle_service_up{service!=\"postgres\"} == 0'"}}},
      {"warning no-receiver route: HeartbeatMissed of order reaches no receiver: the route leads to void, which has no "
       "integration",
       {{"critical|page|warning", "critical|page"}}},
      {"critical no-receiver route.routes[1]: RedisSlow of redis reaches no receiver: the route leads to dba, which is "
       "told of what was healed only",
       {{"['team=\"dba\"'], continue: true", "['team=\"dba\"']"},
        {"{name: dba, tell: all", "{name: dba, tell: healed"}}},
      {"warning unreachable receivers[4]: old hears of no alert: no route leads to it",
       {{"  - {name: am, alertmanager_configs: [{urls: [\"http://127.0.0.1:9093\"]}]}\n",
         "  - {name: old, webhook_configs: [{url: \"http://127.0.0.1:1/\"}]}\n"}}},
      {"info no-objective services.postgres.objectives: drill db measures how long a restore takes and how much is "
       "lost, "
       "and nothing says how much may be",
       {{"    objectives: {rto: 1h}\n", ""}}},
  };
  return all;
}
// Without the Alertmanager, which hears of everything.
const Edit kNoAlertmanager = planted()[12].edits[0];

// What is missing of them, and what is there beside.
std::string other_than(Lines wanted, const Lines& got) {
  std::sort(wanted.begin(), wanted.end());
  Lines missing, invented;
  std::set_difference(wanted.begin(), wanted.end(), got.begin(), got.end(), std::back_inserter(missing));
  std::set_difference(got.begin(), got.end(), wanted.begin(), wanted.end(), std::back_inserter(invented));
  return missing.empty() && invented.empty()
             ? ""
             : fmt::format("missing: {}; invented: {}", fmt::join(missing, "\n"), fmt::join(invented, "\n"));
}

}  // namespace

TEST_CASE("a configuration that has everything has no gap") {
  CHECK(other_than({}, lines(found(ten_services(), {}))) == "");
}

TEST_CASE("ten services with fourteen planted gaps: all are found, none is invented") {
  Lines wanted;
  std::vector<Edit> edits;
  for (const Planted& each : planted()) {
    wanted.push_back(each.gap);
    edits.insert(edits.end(), each.edits.begin(), each.edits.end());
  }
  REQUIRE(wanted.size() == 14);
  const std::vector<app::Finding> all = found(ten_services(), edits);
  CHECK(other_than(wanted, lines(all)) == "");
  for (const app::Finding& each : all) {
    CAPTURE(each.to_string());
    CHECK(each.at.line > 0);
    CHECK_FALSE(each.fix.empty());
  }
  CHECK(std::is_sorted(all.begin(), all.end(),
                       [](const app::Finding& a, const app::Finding& b) { return a.severity < b.severity; }));
}

TEST_CASE("each planted gap alone is the only finding") {
  for (const Planted& each : planted()) {
    CAPTURE(each.gap);
    std::vector<Edit> edits = each.edits;
    const bool of_receivers = each.gap.find("no-receiver") != std::string::npos;
    if (of_receivers) edits.push_back({kNoAlertmanager.of, ""});
    CHECK(other_than({each.gap}, lines(found(ten_services(), edits))) == "");
  }
}

TEST_CASE("fixes are what the configuration takes") {
  const auto fix = [](std::size_t at) { return found(ten_services(), planted()[at].edits).at(0).fix; };
  CHECK(fix(0) ==
        "rabbitmq-server: {unit: rabbitmq-server.service, probes: [{name: tcp, type: tcp, host: 127.0.0.1, port: "
        "5672}]}");
  CHECK(fix(1) == "billing-eu: {unit: \"billing@eu.service\", probes: [{name: process, type: process}]}");
  CHECK(fix(5) == "depends_on: [inventory, rabbitmq, redis]");
  CHECK(fix(7) == "recovery: {when: {alert: ServiceDown}, steps: [{do: {systemd: restart}}]}");
  CHECK(fix(8) ==
        "traffic: {nginx: {upstream: payment, file: /etc/nginx/fettle/payment.conf, self: \"10.0.0.5:8082\"}}");
}

TEST_CASE("without rules or receivers there is one finding, not one for each service") {
  CHECK(other_than({"critical no-rule rule_files: no alert is among the rules: no person is told that a "
                    "service is down",
                    "warning unreachable receivers[2]: dba hears of no alert: none of rule_files takes a "
                    "route to it"},
                   lines(found(ten_services(), {{"rule_files: [rules.yml]\n", ""}}))) == "");
  const std::string text = kServices;
  const std::string to_people = text.substr(text.find("route:\n"));
  CHECK(other_than({"critical no-receiver receivers: no receiver is told of faults: HeartbeatMissed, "
                    "RedisSlow, ServiceDown, Watchdog are lost"},
                   lines(found(ten_services(), {{to_people, ""}}))) == "");
}

TEST_CASE("a plan without a drain step drains only where the place follows the health") {
  const Edit by_hand{"traffic: {file: {path: DIR/order.down}}",
                     "traffic: {haproxy: {socket: /run/none/admin.sock, backend: order, server: a}}"};
  CHECK(other_than({"warning no-drain services.order.recovery.steps: edge sends requests to order, and no "
                    "step of the plan drains it"},
                   lines(found(ten_services(), {by_hand}))) == "");
}

TEST_CASE("of a circle of connections the other half is no gap") {
  app::NodeView node = ten_services();
  node.processes[4].sockets.insert(501);
  node.established.push_back(connected(501, "127.0.0.1", 8081));
  CHECK(other_than({}, lines(found(node, {}))) == "");
}

TEST_CASE("a port of the loopback with a number of the kernel's counts once a service is connected to it") {
  app::NodeView node = ten_services();
  node.processes[2].sockets.insert(303);
  node.established.push_back(connected(303, "127.0.0.1", 41'001));
  CHECK(other_than(
            {"warning no-dependency services.payment.depends_on: payment is connected to order on port 41001, and does "
             "not "
             "depend on it",
             "warning no-probe services.order.probes: order.service listens on 127.0.0.1:41001 too, and no probe asks "
             "there"},
            lines(found(node, {}))) == "");
}

TEST_CASE("an administrator's unit counts, whatever it listens on; another one only with a port") {
  app::NodeView node = ten_services();
  node.processes.push_back(process(91, "bridge", 1009, "bridge.service", {901}));
  node.listening.push_back(listening("127.0.0.1", 41'003, 901));
  CHECK(other_than({}, lines(found(node, {}))) == "");
  node.own_units.insert("bridge.service");
  CHECK(other_than({"warning no-service services: bridge.service runs: no service has it, and no probe"},
                   lines(found(node, {}))) == "");
}

// Two servers of one program, none under systemd, and a worker of one that listens on nothing. A client of the same
// program is no service.
TEST_CASE("without systemd a service is who its probes ask, a front before it is another one") {
  app::NodeView node;
  node.processes = {process(10, "nginx", 0, "", {1}),          process(11, "nginx", 0, "", {1, 11}),
                    process(20, "shop", 1000, "", {2}),        process(21, "shop", 1000, "", {21}),
                    process(30, "shop", 1000, "", {3}),        process(31, "shop", 1000, "", {31}),
                    process(40, "redis-server", 1000, "", {4})};
  node.processes[3].parent = 20;
  node.listening = {listening("127.0.0.1", 8080, 1), listening("127.0.0.1", 8081, 2), listening("127.0.0.1", 8082, 3),
                    listening("127.0.0.1", 6379, 4)};
  node.established = {connected(11, "127.0.0.1", 8081), connected(21, "127.0.0.1", 6379),
                      connected(21, "127.0.0.1", 8082), connected(31, "127.0.0.1", 6379)};
  constexpr char kText[] = R"(
rule_files: [rules.yml]
services:
  nginx: {probes: [{type: http, url: "http://127.0.0.1:8080/status"}], recovery: &plan {when: {alert: ServiceDown}, steps: [{do: {command: {argv: [/bin/true]}}}]}}
  order:
    probes: [{name: front, type: http, url: "http://127.0.0.1:8080/"}, {name: own, type: http, url: "http://127.0.0.1:8081/"}]
    traffic: {file: {path: DIR/order.down}}
    recovery: *plan
  payment: {probes: [{type: http, url: "http://127.0.0.1:8082/"}], recovery: *plan}
receivers: [{name: ops, webhook_configs: [{url: "http://127.0.0.1:1/"}]}]
)";
  CHECK(
      lines(found(node, {}, kText)) ==
      Lines{
          "critical no-service services: redis-server listens on 127.0.0.1:6379, order is connected to it: no service "
          "has it, and no probe",
          "warning no-dependency services.order.depends_on: order is connected to payment on port 8082, and does not "
          "depend on it"});
}

TEST_CASE("of what init writes an audit finds only what init cannot know") {
  std::string text = app::draft_text(nodes::draft_of(nodes::shop()));
  const std::string shipped = fakes::source_file("rules/services.yml");
  const std::size_t at = text.find("/etc/fettle/rules/*.yml");
  text.replace(at, std::string("/etc/fettle/rules/*.yml").size(), shipped);
  const std::vector<app::Finding> all = found(nodes::shop(), {}, text);
  Lines gaps;
  for (const app::Finding& each : all) gaps.push_back(fmt::format("{} {}", to_string(each.gap), each.path));
  std::sort(gaps.begin(), gaps.end());
  // Who is to be told, how order is taken out of nginx, how what has no unit is started again.
  CHECK(gaps == Lines{"no-drain services.order.traffic", "no-plan services.port-4711.recovery",
                      "no-plan services.python3.recovery", "no-receiver receivers"});
}

TEST_CASE("what a probe looks at is read from its target") {
  const auto watched = [](const std::string& type, const std::vector<std::string>& settings) {
    const auto spec = probe::spec_from_arguments(type, "", settings);
    REQUIRE_MESSAGE(spec.has_value(), type);
    const app::Watched out = app::watched_by(spec->settings->target());
    return fmt::format("{}|{}|{}", out.host, fmt::join(out.ports, ","), out.unit);
  };
  CHECK(watched("http", {"url=https://LOCALHOST/x"}) == "localhost|443|");
  CHECK(watched("http", {"url=http://[::1]:8081/x"}) == "::1|8081|");
  CHECK(watched("tcp", {"host=127.0.0.1", "port=22"}) == "127.0.0.1|22|");
  CHECK(watched("redis", {"host=10.0.0.5", "port=6379"}) == "10.0.0.5|6379|");
  CHECK(watched("redis", {"unix_socket=/run/redis.sock"}) == "||");
  CHECK(watched("postgres", {"host=127.0.0.1", "username=u"}) == "127.0.0.1|5432|");
  CHECK(watched("listener", {"port=8081"}) == "|8081|");
  CHECK(watched("listener", {"port=8081", "transport_protocol=udp"}) == "||");
  CHECK(watched("listener", {"port=8081", "address=127.0.0.1"}) == "127.0.0.1|8081|");
  CHECK(watched("sockets", {"ports=[80, 443]"}) == "|80,443|");
  CHECK(watched("systemd", {"unit=order.service"}) == "||order.service");
  CHECK(watched("process", {"unit=order.service"}) == "||order.service");
  CHECK(watched("process", {"pidfile=/run/x.pid"}) == "||");
  CHECK(watched("disk", {"path=/"}) == "||");
}
