// consul: the checks that the Consul agent of the node has for a service. Answers as Consul 1.8 writes them.
#include <doctest/doctest.h>

#include <string>

#include "fakes/probe_trial.h"

namespace {

using model::Reason;

using fakes::answered;

std::string check(const std::string& id, const std::string& status, const std::string& output = "") {
  return R"({"CheckID":")" + id + R"(","Status":")" + status + R"(","Output":")" + output + R"("})";
}
std::string instance(const std::string& checks) { return R"([{"AggregatedStatus":"x","Checks":[)" + checks + "]}]"; }

std::string said(const model::Outcome& outcome) {
  return (outcome.up ? "up" : std::string(model::to_string(outcome.reason))) + ": " + outcome.text;
}

}  // namespace

TEST_CASE("the checks of a service in Consul are its health, but for those that fettle feeds") {
  struct Row {
    http::HttpResponse response;
    const char* want;
  };
  http::HttpResponse refused;
  refused.reason = Reason::refused;
  refused.text = "connection refused";
  for (const Row& row : {
           Row{answered(200, instance(check("http", "passing") + "," + check("tcp", "passing"))),
               "up: 2 checks of service order pass"},
           Row{answered(200, instance("")), "up: 0 checks of service order pass"},
           Row{answered(429, instance(check("http", "passing") + "," + check("disk", "warning", "81 % used"))),
               "up: check disk is warning: 81 % used"},
           Row{answered(503, instance(check("disk", "warning") + "," + check("http", "critical", "refused\\nmore"))),
               "status_mismatch: check http is critical: refused"},
           Row{answered(503, instance(check("a", "critical") + "," + check("b", "critical"))),
               "status_mismatch: check a is critical"},
           Row{answered(503, instance(check("fettle:fettle-order", "critical") + "," + check("http", "passing"))),
               "up: 1 checks of service order pass"},
           Row{answered(503, instance(check("_service_maintenance:order", "critical") + "," + check("a", "passing"))),
               "up: 1 checks of service order pass; in maintenance"},
           Row{answered(404, "ServiceName order not found"),
               "unit_failed: the Consul agent of this node has no service order"},
           Row{answered(404, "[]"), "unit_failed: the Consul agent of this node has no service order"},
           Row{answered(403, "Permission denied"),
               "agent_overloaded: http://localhost:8500: HTTP status 403: Permission denied"},
           Row{answered(500, "no"), "agent_overloaded: http://localhost:8500: HTTP status 500: no"},
           Row{refused, "agent_overloaded: http://localhost:8500: connection refused"},
       }) {
    CAPTURE(row.want);
    fakes::Trial trial("consul", "order");
    trial.start();
    CHECK(trial.world.http.desk.last().url == "http://localhost:8500/v1/agent/health/service/name/order");
    trial.world.http.desk.answer(row.response);
    CHECK(said(trial.found) == row.want);
  }
}

TEST_CASE("checks of a service in Consul are counted") {
  fakes::Trial trial("consul", "order");
  trial.start();
  trial.world.http.desk.answer(answered(503, instance(check("a", "critical") + "," + check("b", "passing") + "," +
                                                      check("_node_maintenance", "critical"))));
  CHECK(trial.measured("probe_consul_checks", "status", "critical") == 1);
  CHECK(trial.measured("probe_consul_checks", "status", "passing") == 1);
  CHECK(trial.measured("probe_consul_checks", "status", "warning") == 0);
  CHECK(trial.measured("probe_consul_maintenance") == 1);
}
