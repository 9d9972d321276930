#include "web/routes.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "fakes/source_file.h"
#include "unit/web/handlers.h"
#include "web/pages/assets.h"

TEST_CASE("paths, methods and codes") {
  struct Row {
    std::string method, path;
    int status;
    std::string allow;
  };
  const Row rows[] = {
      {"GET", "/", 200, ""},
      {"HEAD", "/", 200, ""},
      {"POST", "/", 405, "GET, HEAD"},
      {"GET", "/metrics", 200, ""},
      {"DELETE", "/metrics", 405, "GET, HEAD"},
      {"GET", "/-/healthy", 200, ""},
      {"GET", "/-/ready", 200, ""},
      {"GET", "/assets/style.css", 200, ""},
      {"GET", "/assets/none.css", 404, ""},
      {"GET", "/nothing", 404, ""},
      {"GET", "/..", 404, ""},
      {"GET", "/api/v1/nothing", 404, ""},
      {"GET", "/api/v1/label//values", 404, ""},
      {"GET", "/api/v1/explain/a/b", 404, ""},
      {"PUT", "/api/v1/silences", 405, "GET, HEAD, POST"},
      {"GET", "/api/v1/silence/a-b-c", 403, ""},
      {"HEAD", "/api/v1/events", 200, ""},
      {"POST", "/api/v1/events", 405, "GET, HEAD"},
      {"GET", "/heartbeat/order", 405, "POST"},
      {"GET", "/heartbeat/", 404, ""},
      {"POST", "/probe", 405, "GET, HEAD"},
      {"PUT", "/api/v1/query", 405, "GET, HEAD, POST"},
      {"POST", "/api/v1/rules", 405, "GET, HEAD"},
      {"POST", "/-/reload", 403, ""},
      {"POST", "/api/v1/maintenance/order?on=true", 403, ""},
      {"POST", "/api/v1/recover/order", 403, ""},
      {"POST", "/api/v1/recover/order/abort", 403, ""},
      {"POST", "/api/v1/ack/order", 403, ""},
      {"POST", "/api/v1/drills/db/run", 403, ""},
      {"POST", "/api/v1/drill/order", 403, ""},
      {"POST", "/api/v1/standbys/order/approve", 403, ""},
      {"POST", "/api/v1/rollout/order", 403, ""},
      {"POST", "/api/v1/rollout/order/resume", 403, ""},
      {"POST", "/api/v1/rollout/order/abort", 403, ""},
      {"POST", "/heartbeat/order", 404, ""},
  };
  const Handlers handlers;
  for (const Row& row : rows) {
    CAPTURE(row.method);
    CAPTURE(row.path);
    const web::Response response = handlers.ask(row.method, row.path);
    CHECK(response.status == row.status);
    CHECK(header(response, "Allow") == row.allow);
    CHECK(header(response, "X-Content-Type-Options") == "nosniff");
  }
  CHECK(handlers.backend.calls().empty());
}

TEST_CASE("each route refuses all other methods, and names those of its path") {
  const Handlers handlers;
  for (const web::Route& route : web::routes()) {
    CAPTURE(route.pattern);
    std::string path(route.pattern);
    if (const std::size_t open = path.find('{'); open != std::string::npos)
      path.replace(open, path.find('}') + 1 - open, "order");
    for (const bool admin : {false, true}) {
      CAPTURE(admin);
      web::Request request;
      request.method = "PATCH";
      request.path = path;
      request.admin = admin;
      const web::Response answer = handlers.answer(request);
      const bool open = path == "/api/v1/silences" || route.access != web::Access::admin;
      CHECK(answer.status == (open || admin ? 405 : 403));
      if (open || admin) CHECK(header(answer, "Allow").find(route.methods) != std::string::npos);
    }
  }
  CHECK(handlers.backend.calls().empty());
}

TEST_CASE("over TCP no request to a route of the admin socket changes anything") {
  const Handlers handlers;
  int tried = 0;
  for (const web::Route& route : web::routes()) {
    if (route.access != web::Access::admin) continue;
    CAPTURE(route.pattern);
    std::string path(route.pattern);
    if (const std::size_t open = path.find('{'); open != std::string::npos)
      path.replace(open, path.find('}') + 1 - open, "order");
    for (const char* method : {"POST", "PUT", "DELETE"})
      if (route.methods.find(method) != std::string_view::npos) CHECK(handlers.ask(method, path).status == 403);
    ++tried;
  }
  CHECK(tried > 0);
  CHECK(handlers.backend.calls().empty());
}

TEST_CASE("who asks for something else is told what there is") {
  const Handlers handlers;
  const std::string page = handlers.get("/nothing").body;
  for (const web::Route& route : web::routes()) {
    CAPTURE(route.pattern);
    CHECK(page.find(std::string(route.pattern) + ' ') != std::string::npos);
  }
  CHECK(page.find("\nPOST, PUT        /-/reload                          load the configuration again (over the admin "
                  "socket)\n") != std::string::npos);
  CHECK(
      handlers.get("/api/v1/nothing").body ==
      R"({"status":"error","errorType":"not_found","error":"no such endpoint; there are query, query_range, )"
      R"(format_query, parse_query, query_exemplars, series, labels, label/{name}/values, metadata, rules, alerts, targets, )"
      R"(status/buildinfo, status/config, status/flags, status/runtimeinfo, status/tsdb, services, services/{service}, explain/{service}, trust/{service}, recoveries, incidents, incidents/{id}, incidents/{id}/evidence, availability, drills, dr, standbys, audit, silences, fleet, fleet/entries, events; )"
      R"(over the admin socket also )"
      R"(maintenance/{service}, recover/{service}, recover/{service}/abort, drills/{name}/run, drill/{service}, standbys/{service}/approve, ack/{service}, rollout/{group}, )"
      R"(rollout/{group}/resume, rollout/{group}/abort, silences, )"
      R"(silence/{id}"})");
}

// UPDATE_GOLDEN=1 writes it.
TEST_CASE("the documentation lists the routes") {
  std::string table = "| path | methods | |\n| --- | --- | --- |\n";
  for (const web::Route& route : web::routes())
    table += fmt::format("| `{}` | {} | {}{} |\n", route.pattern, route.methods, route.help,
                         route.access == web::Access::admin   ? "; over the admin socket"
                         : route.access == web::Access::token ? "; with a token"
                                                              : "");
  const std::filesystem::path path = fakes::source_file("packaging/doc/http.md");
  std::ostringstream read;
  read << std::ifstream(path, std::ios::binary).rdbuf();
  std::string text = read.str();
  const std::string begin = "<!-- routes.def -->\n", end = "<!-- end of routes.def -->\n";
  REQUIRE(text.find(begin) != std::string::npos);
  const std::size_t from = text.find(begin) + begin.size(), to = text.find(end);
  REQUIRE(to != std::string::npos);
  if (std::getenv("UPDATE_GOLDEN")) {
    text.replace(from, to - from, table);
    std::ofstream(path, std::ios::binary) << text;
    return;
  }
  CHECK(text.substr(from, to - from) == table);
}

TEST_CASE("which workers answer a path") {
  struct Row {
    std::string path;
    web::Lane lane;
  };
  for (const Row& row :
       {Row{"/metrics", web::Lane::health}, Row{"/-/ready", web::Lane::health}, Row{"/api/v1/query", web::Lane::api},
        Row{"/api/v1/nothing", web::Lane::api}, Row{"/api/v1/events", web::Lane::stream},
        Row{"/-/reload", web::Lane::other}, Row{"/", web::Lane::other}, Row{"/nothing", web::Lane::other}}) {
    CAPTURE(row.path);
    CHECK(web::lane_of(row.path) == row.lane);
  }
  CHECK(web::has_own_token("/heartbeat/order"));
  CHECK_FALSE(web::has_own_token("/heartbeat/"));
  CHECK_FALSE(web::has_own_token("/metrics"));
}

TEST_CASE("ready only when the snapshot says so") {
  Handlers handlers;
  handlers.slot.store(std::make_shared<web::Snapshot>());
  CHECK(handlers.get("/-/ready").status == 503);
  CHECK(handlers.get("/-/healthy").status == 200);
}

TEST_CASE("metrics are the snapshot's, the agent's own and the open streams, in the wanted form") {
  Handlers handlers;
  handlers.backend.own = {{"fettle_loop_stall_seconds", "Stall.", model::MetricType::gauge, {{"", {}, 0.25}}}};
  web::Request request;
  request.path = "/metrics";
  web::Response response = handlers.answer(request);
  CHECK(response.content_type == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(response.body.find("\nfettle_service_up{service=\"order\"} 0\n") != std::string::npos);
  CHECK(response.body.find("\nfettle_loop_stall_seconds 0.25\n") != std::string::npos);
  CHECK(response.body.find("\nfettle_event_streams 2\n") != std::string::npos);
  request.headers = {{"accept", "application/openmetrics-text"}};
  response = handlers.answer(request);
  CHECK(response.content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8");
  CHECK(response.body.ends_with("# EOF\n"));
  request.headers.emplace_back("Accept-Encoding", "gzip");
  response = handlers.answer(request);
  CHECK(header(response, "Content-Encoding") == "gzip");
  CHECK(response.body.starts_with("\x1f\x8b"));
  CHECK(response.body.size() < 1000);
}

TEST_CASE("the page forbids everything that is not its own") {
  const web::Response page = Handlers().get("/");
  CHECK(page.content_type == "text/html; charset=utf-8");
  CHECK(header(page, "Content-Security-Policy").starts_with("default-src 'none';"));
}

TEST_CASE("an asset is sent once") {
  const Handlers handlers;
  web::Request request;
  request.path = "/assets/app.js";
  const web::Response first = handlers.answer(request);
  CHECK(first.body == web::kScript);
  request.headers = {{"If-None-Match", header(first, "ETag")}};
  const web::Response second = handlers.answer(request);
  CHECK(second.status == 304);
  CHECK(second.body.empty());
}

TEST_CASE("a heartbeat needs its token") {
  Handlers handlers;
  const std::string file =
      (std::filesystem::temp_directory_path() / ("fettle-token-" + std::to_string(::getpid()))).string();
  std::ofstream(file) << "s3cret\norder  0rder\r\npayment p4y\n\n";
  auto shop = std::make_shared<web::Snapshot>(fakes::shop_snapshot());
  shop->heartbeat_token_file = file;
  handlers.slot.store(shop);
  struct Row {
    std::string name, method, url, authorization;
    int status;
  };
  const Row rows[] = {
      {"right", "POST", "/heartbeat/order", "Bearer s3cret", 202},
      {"failing", "POST", "/heartbeat/order?status=fail&text=no+disk", "bearer s3cret", 202},
      {"wrong token", "POST", "/heartbeat/order", "Bearer s3cres", 401},
      {"longer token", "POST", "/heartbeat/order", "Bearer s3crets3cret", 401},
      {"no token", "POST", "/heartbeat/order", "", 401},
      {"the service's own", "POST", "/heartbeat/order", "Bearer 0rder", 202},
      {"another service's", "POST", "/heartbeat/order", "Bearer p4y", 401},
      {"a whole line", "POST", "/heartbeat/order", "Bearer order  0rder", 401},
      {"an empty one", "POST", "/heartbeat/order", "Bearer ", 401},
      {"wrong method", "GET", "/heartbeat/order", "Bearer s3cret", 405},
      {"odd status", "POST", "/heartbeat/order?status=maybe", "Bearer s3cret", 400},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    web::Request request;
    request.method = row.method;
    request.path = row.url.substr(0, row.url.find('?'));
    if (row.url.find('?') != std::string::npos) web::add_params(row.url.substr(row.url.find('?') + 1), request.params);
    request.headers = {{"Authorization", row.authorization}};
    CHECK(handlers.answer(request).status == row.status);
  }
  CHECK(handlers.backend.calls() ==
        std::vector<std::string>{"heartbeat order ok ", "heartbeat order fail no disk", "heartbeat order ok "});
  handlers.backend.next_answer = base::fail(base::Kind::not_found, "No service \"ordre\" expects heartbeats.");
  web::Request request;
  request.method = "POST";
  request.path = "/heartbeat/ordre";
  request.headers = {{"Authorization", "Bearer s3cret"}};
  CHECK(handlers.answer(request).body ==
        "No service \"ordre\" expects heartbeats. Services here: gateway, order, payment, inventory, redis.\n");

  // Exchanged without a reload; an empty file lets nobody in, and a lost one is a fault of ours.
  handlers.backend.next_answer = {};
  const auto status_with = [&](const std::string& token) {
    request.headers = {{"Authorization", "Bearer " + token}};
    return handlers.answer(request).status;
  };
  std::ofstream(file) << "another\n";
  CHECK(status_with("s3cret") == 401);
  CHECK(status_with("another") == 202);
  std::ofstream(file) << "\n";
  CHECK(status_with("") == 401);
  std::filesystem::remove(file);
  CHECK(status_with("another") == 503);
}

TEST_CASE("changes over the admin socket") {
  Handlers handlers;
  web::Request request;
  request.admin = true;
  request.method = "POST";
  request.path = "/-/reload";
  CHECK(handlers.answer(request).body == R"({"status":"success","data":null})");
  request.path = "/api/v1/maintenance/order";
  request.params = {{"on", "true"}, {"comment", "new disk"}};
  CHECK(handlers.answer(request).status == 200);
  request.params = {{"on", "maybe"}};
  CHECK(
      handlers.answer(request).body ==
      R"({"status":"error","errorType":"bad_data","error":"invalid parameter \"on\": expected true or false, got \"maybe\""})");
  request.path = "/api/v1/recover/order";
  request.params = {{"dry_run", "true"}, {"comment", "try it"}};
  CHECK(handlers.answer(request).body == R"({"status":"success","data":"the plan of order starts"})");
  request.path = "/api/v1/recover/order/abort";
  request.params = {{"comment", "alice"}};
  CHECK(handlers.answer(request).body ==
        R"({"status":"success","data":"order is left alone until its alert has resolved"})");
  request.path = "/api/v1/ack/order";
  request.params = {{"comment", "mended"}};
  CHECK(handlers.answer(request).status == 200);
  request.path = "/api/v1/drills/db/run";
  request.params = {{"comment", "alice"}};
  CHECK(handlers.answer(request).body == R"({"status":"success","data":"the drill db has begun"})");
  request.params = {{"yes", "true"}, {"comment", "alice"}};
  CHECK(handlers.answer(request).status == 200);
  request.path = "/api/v1/drill/order";
  request.params = {{"fault", "hang"}, {"comment", "alice"}};
  CHECK(handlers.answer(request).body == R"({"status":"success","data":"the drill of order has begun"})");
  request.path = "/api/v1/standbys/order/approve";
  CHECK(handlers.answer(request).body == R"({"status":"success","data":"order may go on within 1m"})");
  request.path = "/api/v1/rollout/order";
  request.params = {{"batch", "25%"}, {"comment", "4.2"}};
  CHECK(handlers.answer(request).body == R"({"status":"success","data":"rollout 1 of order has begun"})");
  request.params = {{"deadline", "0s"}};
  CHECK(handlers.answer(request).status == 400);
  request.params = {{"action", "a\nb"}};
  CHECK(handlers.answer(request).status == 400);
  request.path = "/api/v1/rollout/order/resume";
  request.params = {};
  CHECK(handlers.answer(request).status == 200);
  request.path = "/api/v1/rollout/order/abort";
  CHECK(handlers.answer(request).status == 200);
  CHECK(handlers.backend.calls() ==
        std::vector<std::string>{"reload", "maintenance order on new disk", "recover order dry try it",
                                 "abort order alice", "ack order mended", "drill db alice", "drill db yes alice",
                                 "drill hang of order alice", "approve order alice", "rollout order  25% 5m 4.2",
                                 "resume order ", "abort rollout order "});
  handlers.backend.next_answer = base::fail(base::Kind::invalid, "fettle.yml:3:1: unknown key");
  request.path = "/-/reload";
  CHECK(handlers.answer(request).status == 400);
  request.method = "GET";
  CHECK(handlers.answer(request).status == 405);
}

TEST_CASE("silences are added and expired over the admin socket") {
  Handlers handlers;
  const auto ask = [&](const std::string& method, const std::string& url) {
    web::Request request;
    request.admin = true;
    request.method = method;
    request.path = url.substr(0, url.find('?'));
    if (url.find('?') != std::string::npos) web::add_params(url.substr(url.find('?') + 1), request.params);
    return handlers.answer(request).body;
  };
  CHECK(
      ask("POST", "/api/v1/silences?matcher=service%3Dorder&matcher=%7Ba%3D~b,c!%3Dd%7D&author=alice&comment=INC-7") ==
      R"({"status":"success","data":{"silenceID":"a-b-c"}})");
  CHECK(ask("POST", "/api/v1/silences?matcher=a%3Db&comment=x&duration=2h&start=2023-11-14T22:13:20Z&end=1700000900") ==
        R"({"status":"success","data":{"silenceID":"a-b-c"}})");
  CHECK(ask("DELETE", "/api/v1/silence/a-b-c") == R"({"status":"success","data":null})");
  CHECK(handlers.backend.calls() ==
        std::vector<std::string>{"silence service=\"order\", a=~\"b\", c!=\"d\" for 1h by alice: INC-7",
                                 "silence a=\"b\" for 2h from 2023-11-14T22:13:20Z to 2023-11-14T22:28:20Z by : x",
                                 "expire a-b-c"});
  struct Row {
    std::string method, url, want;
  };
  const Row rows[] = {
      {"POST", "/api/v1/silences?matcher=a~b",
       R"({"status":"error","errorType":"bad_data","error":"bad matcher a~b (column 2): expected one of =, !=, =~ and !~"})"},
      {"POST", "/api/v1/silences?matcher=a%3Db&duration=5",
       R"({"status":"error","errorType":"bad_data","error":"expected a duration such as 2h, got \"5\""})"},
      {"POST", "/api/v1/silences?matcher=a%3Db&end=noon",
       R"({"status":"error","errorType":"bad_data","error":"invalid time value for 'end': cannot parse \"noon\" to a valid timestamp"})"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.url);
    CHECK(ask(row.method, row.url) == row.want);
  }
  handlers.backend.next_answer = base::fail(base::Kind::not_found, "there is no silence x");
  CHECK(ask("DELETE", "/api/v1/silence/x") ==
        R"({"status":"error","errorType":"not_found","error":"there is no silence x"})");
  CHECK(handlers.ask("POST", "/api/v1/silences").status == 403);
  CHECK(handlers.ask("DELETE", "/api/v1/silence/x").status == 403);
}

TEST_CASE("everybody can see the silences and what they hold back") {
  Handlers handlers;
  web::Snapshot shop = fakes::shop_snapshot();
  model::Silence silence;
  silence.id = "a-b-c";
  silence.matchers = {model::Matcher::equal("service", "order"),
                      *model::Matcher::make(model::MatchOp::not_matches, "severity", "page|ticket")};
  silence.author = "alice";
  silence.comment = "<noisy>";
  silence.starts_at = silence.updated_at = base::wall_from_ms(fakes::kShopNow - 60'000);
  silence.ends_at = base::wall_from_ms(fakes::kShopNow + 60'000);
  shop.silences = {silence};
  shop.alerts.resize(1);
  shop.silenced_by[shop.alerts[0].labels] = {"a-b-c"};
  handlers.slot.store(std::make_shared<web::Snapshot>(shop));
  const std::string starts = base::format_iso8601(silence.starts_at), ends = base::format_iso8601(silence.ends_at);
  CHECK(handlers.get("/api/v1/silences").body ==
        R"({"status":"success","data":{"silences":[{"id":"a-b-c","status":{"state":"active"},"matchers":[)"
        R"({"name":"service","value":"order","isRegex":false,"isEqual":true},)"
        R"({"name":"severity","value":"page|ticket","isRegex":true,"isEqual":false}],"startsAt":")" +
            starts + R"(","endsAt":")" + ends + R"(","updatedAt":")" + starts +
            R"(","createdBy":"alice","comment":"\u003cnoisy\u003e"}]}})");
  CHECK(handlers.get("/api/v1/alerts").body.find(R"("silencedBy":["a-b-c"]})") != std::string::npos);
  const std::string page = handlers.get("/").body;
  CHECK(page.find("no receiver hears of it") != std::string::npos);
  CHECK(page.find("service=&quot;order&quot;, severity!~&quot;page|ticket&quot;") != std::string::npos);
  CHECK(page.find("alice: &lt;noisy&gt;") != std::string::npos);
}

TEST_CASE("everybody can see the fleet: who is up, who acts, who waits") {
  Handlers handlers;
  CHECK(handlers.get("/api/v1/fleet").body.find(R"("store":"","joined":false)") != std::string::npos);
  web::Snapshot shop = fakes::shop_snapshot();
  const base::WallTime since = base::wall_from_ms(1'700'000'000'000);
  web::FleetMemberPage acts{"node1", "order", model::Health::down, since, {}, since, "r1", 42};
  web::FleetMemberPage waits{"node2", "order", model::Health::down, since, since, {}};
  shop.fleet = {"etcd at http://10.0.0.1:2379", "", true, since, {{"order", true, {acts, waits}}}};
  handlers.slot.store(std::make_shared<web::Snapshot>(shop));
  CHECK(handlers.get("/api/v1/fleet").body ==
        R"({"status":"success","data":{"node":")" + shop.node +
            R"(","store":"etcd at http://10.0.0.1:2379","joined":true,"since":"2023-11-14T22:13:20Z","trouble":"",)"
            R"("groups":[{"name":"order","known":true,"members":[)"
            R"({"node":"node1","service":"order","health":"down","since":"2023-11-14T22:13:20Z",)"
            R"("actsSince":"2023-11-14T22:13:20Z","recovery":"r1","fence":42},)"
            R"({"node":"node2","service":"order","health":"down","since":"2023-11-14T22:13:20Z",)"
            R"("waitsSince":"2023-11-14T22:13:20Z"}]}]}})");
}

TEST_CASE("a panic of a group is in the answer and on the page, with who tells people") {
  Handlers handlers;
  CHECK(handlers.get("/").body.find("id=\"fleet\"") == std::string::npos);
  web::Snapshot shop = fakes::shop_snapshot();
  const base::WallTime since = base::wall_from_ms(1'700'000'000'000);
  web::FleetMemberPage acts{"node1", "order", model::Health::down, since, {}, since, "r1", 0};
  web::FleetMemberPage waits{"node2", "order", model::Health::down, since, since, {}};
  shop.fleet = {"the majority of 3 agents",
                "",
                true,
                since,
                {{"shop", true, {acts, waits}, "2 of 2 members of shop are down", {}, "order on node2"}}};
  handlers.slot.store(std::make_shared<web::Snapshot>(shop));
  const std::string answer = handlers.get("/api/v1/fleet").body;
  CHECK(answer.find(R"("known":true,"panic":"2 of 2 members of shop are down","toldBy":"order on node2","members")") !=
        std::string::npos);
  CHECK(answer.find("fence") == std::string::npos);
  const std::string page = handlers.get("/").body;
  for (const char* text : {"id=\"fleet\"", "the majority of 3 agents",
                           "2 of 2 members of shop are down; people are told by order on node2",
                           "<th scope=\"row\">node1<span class=\"mut mono\">shop</span></th>", "acts", "waits"}) {
    CAPTURE(text);
    CHECK(page.find(text) != std::string::npos);
  }
  shop.fleet.trouble = "no answer in <time>";
  shop.fleet.joined = false;
  handlers.slot.store(std::make_shared<web::Snapshot>(shop));
  CHECK(handlers.get("/").body.find("no answer in &lt;time&gt;") != std::string::npos);
}

TEST_CASE("other agents are answered with what this one shows, and with 404 where it shows nothing") {
  Handlers handlers;
  CHECK(handlers.get("/api/v1/fleet/entries").body == R"({"status":"success","data":{"node":"node1","entries":[]}})");
  handlers.backend.next_answer = base::fail(base::Kind::not_found, "this agent is in no fleet of peers");
  CHECK(handlers.get("/api/v1/fleet/entries").status == 404);
}

TEST_CASE("/probe hands module, target and what the scrape leaves of its time to the agent") {
  Handlers handlers;
  web::Request request;
  request.path = "/probe";
  request.params = {{"target", "http://127.0.0.1:8081/"}, {"hostname", "shop.test"}};
  request.headers = {{"X-Prometheus-Scrape-Timeout-Seconds", "2.5"}};
  const web::Response answer = handlers.answer(request);
  CHECK(answer.status == 200);
  CHECK(answer.body == "# HELP probe_success 1 if it worked.\n# TYPE probe_success gauge\nprobe_success 1\n");
  CHECK(handlers.backend.calls() == std::vector<std::string>{"probe http_2xx http://127.0.0.1:8081/ shop.test 2500ms"});

  const web::Response debug = handlers.get("/probe?module=page&target=a&debug=true");
  CHECK(debug.body == R"(Probe of a with module page
up: status 200 in 3ms

Metrics that would have been returned:
# HELP probe_success 1 if it worked.
# TYPE probe_success gauge
probe_success 1

Module configuration:
{"prober": http}
)");
}

TEST_CASE("/probe says what is wrong with a request") {
  Handlers handlers;
  CHECK(handlers.get("/probe").status == 400);
  CHECK(handlers.get("/probe").body == "Target parameter is missing\n");
  struct Row {
    base::Kind kind;
    int status;
  };
  for (const Row& row :
       {Row{base::Kind::not_found, 400}, Row{base::Kind::invalid, 400}, Row{base::Kind::permission, 403},
        Row{base::Kind::limit, 503}, Row{base::Kind::unavailable, 503}}) {
    handlers.backend.next_answer = base::fail(row.kind, "because");
    CHECK(handlers.get("/probe?target=a").status == row.status);
    CHECK(handlers.get("/probe?target=a").body == "because\n");
  }
  web::Request request;
  request.path = "/probe";
  request.params = {{"target", "a"}};
  request.headers = {{"X-Prometheus-Scrape-Timeout-Seconds", "soon"}};
  CHECK(handlers.answer(request).body == "X-Prometheus-Scrape-Timeout-Seconds: expected seconds, got \"soon\"\n");
  request.headers = {{"X-Prometheus-Scrape-Timeout-Seconds", "0"}};  // no limit, as for the exporter
  CHECK(handlers.answer(request).body == "because\n");
}
