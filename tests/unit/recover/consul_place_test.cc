// A service in Consul: what is registered, what its check says, and maintenance, ours and that of people. Answers as
// Consul 1.8 writes them.
#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "base/percent.h"
#include "config/node.h"
#include "fakes/fake_agent_checks.h"
#include "fakes/probe_world.h"
#include "recover/traffic/traffic.h"

namespace {

using namespace std::chrono_literals;
using model::Health;
using recover::DesiredState;
using recover::Flow;

using fakes::answered;

const char* const kOurCheck = R"("fettle:fettle-order":{"CheckID":"fettle:fettle-order","Status":"passing"})";
std::string maintenance(const std::string& notes) {
  return R"("_service_maintenance:fettle-order":{"Status":"critical","Notes":")" + notes + R"("})";
}

struct Site {
  explicit Site(const std::string& keys = "port: 8081") {
    config::Errors errors;
    spec = recover::parse_traffic("order", config::Node::parse("{consul: {" + keys + "}}", "f.yml", errors), errors);
    REQUIRE(errors.text() == "");
    recover::TrafficContext context{loop, systemd, spawner, dialer, agent_checks};
    context.http = &http;
    adapter = spec->places.at(0)->start(context, "order");
  }
  void begin(const DesiredState& to) {
    said.clear();
    handle = adapter->apply(to, loop.now() + 30s, [this](const recover::ApplyResult& result) {
      last = result;
      said = std::string(to_string(result.result)) + ": " + result.text;
    });
    CHECK(said.empty());
  }
  // Answers the request that waits.
  void answer(const std::string& request, http::HttpResponse response) {
    REQUIRE(http.desk.waiting() == 1);
    CHECK(http.desk.last().method + " " + base::percent_decode(http.desk.last().url) ==
          request.substr(0, 4) + "http://localhost:8500" + request.substr(4));
    http.desk.answer(std::move(response));
  }
  void has(const std::string& checks) { answer("GET /v1/agent/checks", answered(200, "{" + checks + "}")); }
  std::string updated() {
    const std::string body = http.desk.last().body;
    answer("PUT /v1/agent/check/update/fettle:fettle-order", answered(200));
    return body;
  }
  std::string asked(const std::string& checks) {
    std::string text;
    const loop::Handle question = adapter->ask_drained(Flow::live, loop.now() + 1s, [&](std::string t) { text = t; });
    has(checks);
    return text;
  }

  fakes::FakeLoop loop;
  fakes::FakeSystemd systemd{loop};
  fakes::FakeSpawner spawner{loop};
  fakes::FakeDialer dialer{loop};
  fakes::FakeAgentChecks agent_checks;
  fakes::FakeHttp http{loop};
  std::unique_ptr<const recover::TrafficSpec> spec;
  std::unique_ptr<recover::Adapter> adapter;
  recover::ApplyResult last;
  std::string said;
  loop::Handle handle;
};

}  // namespace

TEST_CASE("a service that Consul does not have is registered, with what its check says") {
  Site site("port: 8081, tags: [v1], meta: {team: shop}, ttl: 10s, deregister_critical_service_after: 1h");
  CHECK(site.spec->places[0]->follows_health());
  site.begin({Flow::live, 100, Health::unknown, ""});
  site.has("");
  site.answer("GET /v1/agent/service/fettle-order", answered(404, "unknown service ID"));
  CHECK(site.http.desk.last().body ==
        R"({"Check":{"CheckID":"fettle:fettle-order","DeregisterCriticalServiceAfter":"3600s","Name":"fettle",)"
        R"("Status":"warning","TTL":"10s"},"ID":"fettle-order","Meta":{"team":"shop"},"Name":"order","Port":8081,)"
        R"("Tags":["v1"]})");
  site.answer("PUT /v1/agent/service/register", answered(200));
  CHECK(site.updated() == R"({"Output":"no verdict yet","Status":"warning"})");
  CHECK(site.said == "ok: consul fettle-order is warning");
  CHECK_FALSE(site.last.as_before);
}

TEST_CASE("a service that people have registered gets the check, and nothing else") {
  Site site("id: order-7");
  site.begin({Flow::live, 100, Health::up, ""});
  site.has("");
  site.answer("GET /v1/agent/service/order-7", answered(200, R"({"ID":"order-7"})"));
  CHECK(site.http.desk.last().body ==
        R"({"CheckID":"fettle:order-7","ID":"fettle:order-7","Name":"fettle","ServiceID":"order-7","Status":"passing",)"
        R"("TTL":"30s"})");
  site.answer("PUT /v1/agent/check/register", answered(200));
  site.answer("PUT /v1/agent/check/update/fettle:order-7", answered(200));
  CHECK(site.said == "ok: consul order-7 is passing");
}

TEST_CASE("the check says how the service stands, and is renewed three times in its TTL") {
  Site site("port: 8081, ttl: 30s");
  site.begin({Flow::live, 100, Health::down, "refused: connect to 127.0.0.1:8081"});
  site.has(kOurCheck);
  CHECK(site.updated() == R"({"Output":"down: refused: connect to 127.0.0.1:8081","Status":"critical"})");
  CHECK(site.said == "ok: consul fettle-order is critical");
  CHECK(site.last.as_before);
  site.loop.advance(9s);
  CHECK(site.http.desk.waiting() == 0);
  site.loop.advance(1s);
  site.has(kOurCheck);
  CHECK(site.updated() == R"({"Output":"down: refused: connect to 127.0.0.1:8081","Status":"critical"})");
  // Its data folder was emptied.
  site.loop.advance(10s);
  site.has("");
  site.answer("GET /v1/agent/service/fettle-order", answered(404));
  site.answer("PUT /v1/agent/service/register", answered(200));
  site.updated();
  // A failed renewal is not the last.
  site.loop.advance(10s);
  site.answer("GET /v1/agent/checks", answered(500, "No cluster leader"));
  site.loop.advance(10s);
  CHECK(site.http.desk.waiting() == 1);
}

TEST_CASE("a drain is maintenance, and what is ours is ended again") {
  Site site;
  site.begin({Flow::drained, 100, Health::up, ""});
  site.has(kOurCheck);
  site.updated();
  site.answer("PUT /v1/agent/service/maintenance/fettle-order?enable=true&reason=fettle: drained by a plan or a person",
              answered(200));
  CHECK(site.said == "ok: consul fettle-order is passing, in maintenance");
  const std::string ours = std::string(kOurCheck) + "," + maintenance("fettle: drained by a plan or a person");
  site.begin({Flow::drained, 100, Health::up, ""});
  site.has(ours);
  site.updated();
  CHECK(site.last.as_before);
  CHECK_FALSE(site.last.externally_drained);
  CHECK(site.asked(ours) == "");
  site.begin({Flow::live, 100, Health::up, ""});
  site.has(ours);
  site.updated();
  site.answer("PUT /v1/agent/service/maintenance/fettle-order?enable=false", answered(200));
  CHECK(site.said == "ok: consul fettle-order is passing");
}

TEST_CASE("maintenance that people have switched on is theirs") {
  Site site;
  CHECK(site.adapter->knows_drains());
  CHECK(site.adapter->can_forget());
  const std::string theirs = std::string(kOurCheck) + "," + maintenance("new disks");
  site.begin({Flow::drained, 100, Health::up, ""});
  site.has(theirs);
  site.updated();
  CHECK(site.last.externally_drained);
  site.begin({Flow::live, 100, Health::up, ""});
  site.has(theirs);
  site.updated();
  CHECK(site.said == "ok: consul fettle-order is passing");
  CHECK(site.http.desk.waiting() == 0);  // it stays
  CHECK(site.asked(theirs) ==
        "consul fettle-order is in maintenance, not by fettle (new disks); to have it back: consul maint -disable "
        "-service=fettle-order");
  CHECK(site.asked(R"("_node_maintenance":{"Notes":"kernel"})") ==
        "the node is in Consul's maintenance mode (kernel); to have it back: consul maint -disable");
  CHECK(site.asked(kOurCheck) == "");
}

TEST_CASE("what Consul refuses is told") {
  Site site;
  site.begin({Flow::live, 100, Health::up, ""});
  site.has(kOurCheck);
  site.answer("PUT /v1/agent/check/update/fettle:fettle-order", answered(403, "Permission denied"));
  CHECK(site.said ==
        "refused: consul fettle-order: PUT /v1/agent/check/update/fettle%3Afettle-order: HTTP status 403: Permission "
        "denied; the token needs service:write for order");
  std::string seen = "?";
  const loop::Handle look = site.adapter->look(site.loop.now() + 1s, [&](std::string text) { seen = text; });
  site.answer("GET /v1/agent/checks", answered(500, "No cluster leader"));
  CHECK(seen == "http://localhost:8500: HTTP status 500: No cluster leader");
}

TEST_CASE("mistakes in a place in Consul are named") {
  const auto mistake = [](const std::string& keys) {
    config::Errors errors;
    (void)recover::parse_traffic("order", config::Node::parse("{consul: {" + keys + "}}", "f.yml", errors), errors);
    return errors.text();
  };
  CHECK(mistake("scheme: ftp").find("scheme: must be http or https") != std::string::npos);
  CHECK(mistake("ttl: 1s").find("ttl: must be at least 3s: it is renewed three times in that time") !=
        std::string::npos);
  CHECK(mistake("authorization: {credentials: s3cret}").find("needs credentials_file here") != std::string::npos);
  CHECK(mistake("authorization: {credentials_file: /etc/fettle/consul.token}") == "");
  CHECK(mistake("id: ../x").find("id: '../x' must be letters, digits and _.- only") != std::string::npos);
  CHECK(mistake("port: 70000").find("port: must be between 1 and 65535") != std::string::npos);
  CHECK(mistake("deregister_critical_service_after: 1s").find("must be at least 1m") != std::string::npos);
}
