// consul_sd_configs: what the catalogue's answers become, in Prometheus' words, and how blocking queries go on.
#include <doctest/doctest.h>

#include <string>

#include "base/percent.h"
#include "source_site.h"

namespace {

using namespace std::chrono_literals;

struct Catalogue : SourceSite {
  explicit Catalogue(const std::string& keys) : SourceSite(discover::consul_sd_source, keys) {}
  // The oldest question that waits, without scheme and host.
  std::string asked() const {
    REQUIRE(http.desk.waiting() > 0);
    return base::percent_decode(http.desk.oldest().url.substr(std::string("http://localhost:8500").size()));
  }
};

// GET /v1/health/service/order, shapes of Consul 1.8, shortened.
std::string instance(const std::string& service, const std::string& address, int port, const std::string& checks = "") {
  return R"({"Node":{"Node":"n1","Address":"10.0.0.7","Datacenter":"shop","TaggedAddresses":{"lan":"10.0.0.7"},)"
         R"("Meta":{"rack-id":"r7"}},"Service":{"ID":")" +
         service + R"(-1","Service":")" + service + R"(","Tags":["v1","canary"],"Address":")" + address +
         R"(","Port":)" + std::to_string(port) + R"(,"Meta":{"team.name":"shop"}},"Checks":[)" + checks + "]}";
}
std::string check(const std::string& id, const std::string& status) {
  return R"({"CheckID":")" + id + R"(","Status":")" + status + R"("})";
}

}  // namespace

TEST_CASE("an instance of a service is a target, with Prometheus' labels") {
  Catalogue consul("services: [order]");
  CHECK(consul.asked() == "/v1/health/service/order?stale");
  consul.http.desk.answer(answered(200,
                                   "[" + instance("order", "", 8081, check("a", "passing")) + "," +
                                       instance("order", "fd00::7", 8082, check("a", "warning")) + "]",
                                   "17"));
  CHECK(consul.changes == 1);
  CHECK(consul.list().name == "http://localhost:8500");
  REQUIRE(consul.addresses() == "10.0.0.7:8081 [fd00::7]:8082");
  CHECK(consul.list().targets[0].labels.to_string() ==
        R"({__meta_consul_address="10.0.0.7", __meta_consul_dc="shop", __meta_consul_health="passing", )"
        R"(__meta_consul_metadata_rack_id="r7", __meta_consul_node="n1", __meta_consul_service="order", )"
        R"(__meta_consul_service_id="order-1", __meta_consul_service_metadata_team_name="shop", )"
        R"(__meta_consul_service_port="8081", __meta_consul_tagged_address_lan="10.0.0.7", )"
        R"(__meta_consul_tags=",v1,canary,"})");
  CHECK(consul.list().targets[1].labels.get("__meta_consul_service_address") == "fd00::7");
  CHECK(consul.list().targets[1].labels.get("__meta_consul_health") == "warning");
}

TEST_CASE("health is the worst check, and maintenance before all") {
  struct Row {
    std::string checks, want;
  };
  for (const Row& row : {
           Row{"", "passing"},
           Row{check("a", "warning") + "," + check("b", "critical"), "critical"},
           Row{check("a", "critical") + "," + check("b", "warning"), "critical"},
           Row{check("a", "critical") + "," + check("_service_maintenance:order-1", "critical"), "maintenance"},
           Row{check("_node_maintenance", "critical"), "maintenance"},
           Row{"7", "passing"},
       }) {
    Catalogue consul("services: [order]");
    consul.http.desk.answer(answered(200, "[" + instance("order", "", 1, row.checks) + "]", "17"));
    CHECK(consul.list().targets.at(0).labels.get("__meta_consul_health") == row.want);
  }
}

TEST_CASE("without names the catalogue says which services there are") {
  Catalogue consul(
      "tags: [v1], node_meta: {rack: r7}, datacenter: shop, filter: 'ServiceMeta.x == y', allow_stale: false, token: "
      "t");
  CHECK(consul.asked() == "/v1/catalog/services?dc=shop&node-meta=rack:r7&filter=ServiceMeta.x == y");
  CHECK(*http::find_header(consul.http.desk.last().private_headers, "X-Consul-Token") == "t");
  consul.http.desk.answer(answered(200, R"({"order":["v1","v2"],"payment":["v2"],"stock":["v1"]})", "5"));
  consul.loop.run_due();
  CHECK(consul.asked() == "/v1/health/service/order?dc=shop&node-meta=rack:r7&tag=v1");
  consul.http.desk.answer(answered(200, "[" + instance("order", "", 1) + "]", "5"));
  CHECK(consul.changes == 0);  // stock has not answered
  CHECK(consul.asked() == "/v1/health/service/stock?dc=shop&node-meta=rack:r7&tag=v1");
  consul.http.desk.answer(answered(200, "[" + instance("stock", "", 2) + "]", "5"));
  CHECK(consul.changes == 1);
  CHECK(consul.addresses() == "10.0.0.7:1 10.0.0.7:2");
  // One goes.
  consul.loop.advance(100ms);
  consul.http.desk.answer_where([](const auto& r) { return r.url.find("/catalog/") != std::string::npos; },
                                answered(200, R"({"stock":["v1"]})", "6"));
  CHECK(consul.addresses() == "10.0.0.7:2");
  CHECK(consul.changes == 2);
  CHECK(consul.http.desk.asked_where([](const auto& r) { return r.url.find("/service/order") != std::string::npos; }) ==
        0);
}

TEST_CASE("a blocking query goes on with the index of its answer") {
  Catalogue consul("services: [order], refresh_interval: 32s");
  const std::string body = "[" + instance("order", "", 1) + "]";
  const auto next = [&](const std::string& index) {
    consul.http.desk.answer(answered(200, body, index));
    CHECK(consul.http.desk.waiting() == 0);
    consul.loop.advance(100ms);
    return consul.asked();
  };
  const std::string path = "/v1/health/service/order?stale";
  CHECK(next("17") == path + "&index=17&wait=32000ms");
  CHECK(consul.http.desk.last().deadline - consul.loop.now() == 39s);
  CHECK(next("18") == path + "&index=18&wait=32000ms");
  CHECK(next("3") == path);  // set up again
  CHECK(next("0") == path + "&index=1&wait=32000ms");
  CHECK(next("x") == path);
  CHECK(consul.changes == 1);
}

TEST_CASE("a Consul that does not answer keeps what it said, and is asked later and later") {
  Catalogue consul("services: [order]");
  consul.http.desk.answer(answered(200, "[" + instance("order", "", 1) + "]", "17"));
  consul.loop.advance(100ms);
  consul.http.desk.answer(answered(500, "No cluster leader"));
  CHECK(consul.list().error ==
        "http://localhost:8500: GET /v1/health/service/order?stale: HTTP status 500: No cluster leader");
  CHECK(consul.addresses() == "10.0.0.7:1");
  CHECK(consul.changes == 2);
  consul.loop.advance(999ms);
  CHECK(consul.http.desk.waiting() == 0);
  consul.loop.advance(1ms);
  CHECK(consul.asked() == "/v1/health/service/order?stale");
  consul.http.desk.answer(answered(403, "Permission denied"));
  consul.loop.advance(1s);
  CHECK(consul.http.desk.waiting() == 0);
  consul.loop.advance(1s);
  consul.http.desk.answer(answered(200, "{}", "18"));
  CHECK(consul.list().error == "http://localhost:8500: the answer about service order is no JSON list");
  consul.loop.advance(100ms);
  consul.http.desk.answer(answered(200, "[]", "19"));
  CHECK(consul.list().error == "");
  CHECK(consul.addresses() == "");
  // A reload asks at once.
  consul.sd->refresh();
  consul.loop.run_due();
  CHECK(consul.asked() == "/v1/health/service/order?stale");
}

TEST_CASE("a service that Consul does not tell of costs the others nothing, and its error stays until it is told") {
  Catalogue consul("services: [order, payment]");
  REQUIRE(consul.http.desk.waiting() == 2);
  consul.http.desk.answer(answered(403, "Permission denied"));
  CHECK(consul.addresses() == "");
  CHECK(consul.changes == 0);
  consul.http.desk.answer(answered(200, "[" + instance("payment", "", 2) + "]", "17"));
  CHECK(consul.addresses() == "10.0.0.7:2");
  const std::string error =
      "http://localhost:8500: GET /v1/health/service/order?stale: HTTP status 403: Permission denied";
  CHECK(consul.list().error == error);
  consul.loop.advance(100ms);
  consul.http.desk.answer(answered(200, "[" + instance("payment", "", 3) + "]", "18"));
  CHECK(consul.addresses() == "10.0.0.7:3");
  CHECK(consul.list().error == error);
  CHECK(consul.changes == 2);
}
