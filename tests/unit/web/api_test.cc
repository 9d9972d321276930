#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "fakes/golden.h"
#include "promql/annotations.h"
#include "promql/queryable.h"
#include "unit/web/handlers.h"
#include "web/api/answer.h"

namespace {

void fill(fakes::FakeBackend& backend) {
  const std::int64_t now = fakes::kShopNow;
  for (const char* service : {"gateway", "order", "redis"}) {
    promql::MemoryQueryable::Entry entry;
    entry.labels = {{"__name__", "fettle_service_up"}, {"job", "fettle"}, {"service", service}};
    for (std::int64_t t = now - 60'000; t <= now; t += 5'000)
      entry.samples.push_back({t, service == std::string("order") && t > now - 5'000 ? 0.0 : 1.0});
    backend.series.push_back(entry);
  }
}

std::string envelope(std::string_view type, std::string_view text) {
  return R"({"status":"error","errorType":")" + std::string(type) + R"(","error":")" + std::string(text) + "\"}";
}

}  // namespace

TEST_CASE("an incident that is not kept is no answer, and the error says where the others are") {
  Handlers handlers;
  const web::Response response = handlers.get("/api/v1/incidents/inc_none");
  CHECK(response.status == 404);
  CHECK(response.body ==
        R"({"status":"error","errorType":"not_found","error":"no incident \"inc_none\" here; /api/v1/incidents lists )"
        R"(those that are kept"})");
}

TEST_CASE("bodies of the API are what the golden files say") {
  Handlers handlers;
  fill(handlers.backend);
  struct Row {
    std::string file, url;
  };
  const Row rows[] = {
      {"query-vector", "/api/v1/query?query=fettle_service_up"},
      {"query-empty", "/api/v1/query?query=nothing"},
      {"query-scalar", "/api/v1/query?query=1e3%2F3&time=1795416645.25"},
      {"query-string", "/api/v1/query?query=%22x%3Cy%22&time=2026-11-23T06:50:45Z"},
      {"query-matrix", "/api/v1/query?query=fettle_service_up%7Bservice%3D%22order%22%7D%5B12s%5D"},
      {"query-range", "/api/v1/query_range?query=sum(fettle_service_up)&start=1795416630&end=1795416645.250&step=5s"},
      {"series",
       "/api/v1/"
       "series?match%5B%5D=fettle_service_up%7Bservice%3D~%22o.*%22%7D&match%5B%5D=fettle_service_up%7Bservice%3D%"
       "22redis%22%7D"},
      {"labels", "/api/v1/labels"},
      {"label-values", "/api/v1/label/service/values"},
      {"label-names-of-metrics", "/api/v1/label/__name__/values?limit=1"},
      {"metadata", "/api/v1/metadata"},
      {"rules", "/api/v1/rules"},
      {"rules-recording", "/api/v1/rules?type=record"},
      {"alerts", "/api/v1/alerts"},
      {"buildinfo", "/api/v1/status/buildinfo"},
      {"config", "/api/v1/status/config"},
      {"services", "/api/v1/services"},
      {"recoveries", "/api/v1/recoveries?service=order"},
      {"incidents", "/api/v1/incidents"},
      {"incident", "/api/v1/incidents/inc_0a77"},
      {"explain", "/api/v1/explain/order"},
      {"format-query", "/api/v1/format_query?query=sum+by(service)(up)"},
      {"query-exemplars", "/api/v1/query_exemplars?query=up&start=0&end=1"},
      {"tsdb", "/api/v1/status/tsdb?limit=2"},
      {"flags", "/api/v1/status/flags"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.file);
    const web::Response response = handlers.get(row.url);
    CHECK(response.status == 200);
    CHECK(response.content_type == "application/json");
    CHECK(response.body == fakes::golden("web/api/" + row.file + ".json", response.body));
  }
}

TEST_CASE("annotations of the engine are warnings or infos, as in Prometheus 3") {
  const auto body = [](const promql::Annotations& annotations) {
    return web::api_success([](encoding::Json& json) { json.number(1); }, annotations).body;
  };
  CHECK(body({}) == R"({"status":"success","data":1})");
  CHECK(
      body({{"PromQL warning: b"}, {"PromQL info: a", "PromQL info: c"}}) ==
      R"({"status":"success","data":1,"warnings":["PromQL warning: b"],"infos":["PromQL info: a","PromQL info: c"]})");
  CHECK(body({{}, {"PromQL info: a"}}) == R"({"status":"success","data":1,"infos":["PromQL info: a"]})");
}

TEST_CASE("a limit cuts lists and results, and says so") {
  Handlers handlers;
  for (int i = 0; i < 3; ++i)
    handlers.backend.series.push_back(
        {{{"__name__", "load"}, {"node", std::to_string(i)}}, {{fakes::kShopNow - 1000, 1}, {fakes::kShopNow, 2}}});
  const std::string now = std::to_string(fakes::kShopNow / 1000);
  const std::string cut = R"("warnings":["results truncated due to limit"]})";
  struct Row {
    std::string url;
    std::size_t kept;  // of "node", and whether that is all
    bool all;
  };
  const Row rows[] = {
      {"/api/v1/query?query=load&limit=2", 2, false},
      {"/api/v1/query?query=load&limit=3", 3, true},
      {"/api/v1/query?query=load&limit=0", 3, true},
      {"/api/v1/query?query=load[5m]&limit=1", 1, false},
      {"/api/v1/query_range?query=load&step=1&start=" + now + "&end=" + now + "&limit=1", 1, false},
      {"/api/v1/series?match[]=load&limit=2", 2, false},
      {"/api/v1/series?match[]=load&limit=%2B9", 3, true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.url);
    const std::string body = handlers.get(row.url).body;
    std::size_t kept = 0;
    for (std::size_t at = body.find("\"node\""); at != std::string::npos; at = body.find("\"node\"", at + 1)) ++kept;
    CHECK(kept == row.kept);
    CHECK(body.ends_with(cut) != row.all);
  }
  for (const char* url :
       {"/api/v1/query?query=load&limit=", "/api/v1/query_range?query=load&step=1&start=0&end=1&limit=",
        "/api/v1/series?match[]=load&limit=", "/api/v1/labels?limit=", "/api/v1/label/node/values?limit="}) {
    CAPTURE(url);
    CHECK(
        handlers.get(url + std::string("x")).body ==
        R"({"status":"error","errorType":"bad_data","error":"invalid parameter \"limit\": strconv.Atoi: parsing \"x\": invalid syntax"})");
    CHECK(
        handlers.get(url + std::string("-1")).body ==
        R"({"status":"error","errorType":"bad_data","error":"invalid parameter \"limit\": limit must be non-negative"})");
  }
  handlers.options.engine.compat = promql::Compat::v2;
  CHECK(handlers.get("/api/v1/query?query=load&limit=x").status == 200);
}

TEST_CASE("stats say how long each part took, and how many samples were looked at in all steps") {
  Handlers handlers;
  for (int i = 0; i < 3; ++i)
    handlers.backend.series.push_back(
        {{{"__name__", "load"}, {"node", std::to_string(i)}}, {{fakes::kShopNow - 1000, 1}, {fakes::kShopNow, 2}}});
  const std::string start = std::to_string(fakes::kShopNow / 1000 - 1);
  const std::string end = std::to_string(fakes::kShopNow / 1000);
  struct Row {
    std::string url;
    int looked_at;
  };
  for (const Row& row : {Row{"/api/v1/query?query=1", 0}, Row{"/api/v1/query?query=load", 3},
                         Row{"/api/v1/query?query=rate(load[1m])%2Bload", 9}, Row{"/api/v1/query?query=load[1m]", 6},
                         Row{"/api/v1/query_range?query=load&step=1&start=" + start + "&end=" + end, 3}}) {
    CAPTURE(row.url);
    CHECK(handlers.get(row.url).body.find("stats") == std::string::npos);
    for (const char* wanted : {"all", "true"}) {
      const nlohmann::json data = nlohmann::json::parse(handlers.get(row.url + "&stats=" + wanted).body)["data"];
      CHECK(data["result"].size() > 0);
      CHECK(data["stats"]["samples"]["totalQueryableSamples"] == row.looked_at);
      CHECK(data["stats"]["samples"]["peakSamples"].is_number_integer());
      for (const char* part : {"evalTotalTime", "resultSortTime", "queryPreparationTime", "innerEvalTime",
                               "execQueueTime", "execTotalTime"})
        CHECK(data["stats"]["timings"][part].get<double>() >= 0);
    }
  }
}

TEST_CASE("mistakes get Prometheus' codes and words") {
  Handlers handlers;
  struct Row {
    std::string url;
    int status;
    std::string body;
  };
  const std::string range = "/api/v1/query_range?query=up&";
  const Row rows[] = {
      {"/api/v1/query?query=", 400,
       envelope("bad_data",
                R"(invalid parameter \"query\": unknown position: parse error: no expression found in input)")},
      {"/api/v1/query?query=up&time=x", 400,
       envelope(
           "bad_data",
           R"(invalid parameter \"time\": invalid time value for 'time': cannot parse \"x\" to a valid timestamp)")},
      {"/api/v1/query?query=up&timeout=x", 400,
       envelope("bad_data", R"(invalid parameter \"timeout\": cannot parse \"x\" to a valid duration)")},
      {range + "end=1&step=1", 400,
       envelope("bad_data", R"(invalid parameter \"start\": cannot parse \"\" to a valid timestamp)")},
      {range + "start=2&end=1&step=1", 400,
       envelope("bad_data", R"(invalid parameter \"end\": end timestamp must not be before start time)")},
      {range + "start=1&end=2&step=0", 400,
       envelope(
           "bad_data",
           R"(invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer)")},
      {range + "start=0&end=11001&step=1", 400,
       envelope("bad_data",
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution "
                "(?step=XX)")},
      {"/api/v1/query_range?query=up%5B5m%5D&start=0&end=1&step=1", 400,
       envelope(
           "bad_data",
           R"(invalid parameter \"query\": invalid expression type \"range vector\" for range query, must be Scalar )"
           "or instant Vector")},
      {"/api/v1/query_range?query=sum(&start=0&end=1&step=1", 400,
       envelope("bad_data", R"(invalid parameter \"query\": 1:5: parse error: unclosed left parenthesis)")},
      {"/api/v1/series", 400, envelope("bad_data", "no match[] parameter provided")},
      {"/api/v1/series?match%5B%5D=%7Bx%3D%22%22%7D", 400,
       envelope("bad_data", R"(invalid parameter \"match[]\": match[] must contain at least one non-empty matcher)")},
      {"/api/v1/labels?match%5B%5D=%7Bx%3D%22%22%7D", 400,
       envelope("bad_data", R"(match[] must contain at least one non-empty matcher)")},
      {"/api/v1/label/job/values?match%5B%5D=sum(", 400, envelope("bad_data", R"(1:4: parse error: unexpected \"(\")")},
      {"/api/v1/label/%FF/values", 400, envelope("bad_data", "invalid label name: \\\"\\ufffd\\\"")},
      {"/api/v1/rules?type=all", 400,
       envelope("bad_data", R"(invalid parameter \"type\": not supported value \"all\")")},
      {"/api/v1/explain/ordre", 404,
       envelope("not_found", R"(no service \"ordre\" here; there are: gateway, order, payment, inventory, redis)")},
  };
  for (const Row& row : rows) {
    CAPTURE(row.url);
    const web::Response response = handlers.get(row.url);
    CHECK(response.status == row.status);
    CHECK(response.body == row.body);
  }
}

TEST_CASE("a group without a rule of the type stays in the list in Prometheus 2") {
  Handlers handlers;
  CHECK(handlers.get("/api/v1/rules?type=record&rule_group[]=services").body.find("\"rules\":[]") == std::string::npos);
  handlers.options.engine.compat = promql::Compat::v2;
  CHECK(handlers.get("/api/v1/rules?type=record&rule_group[]=services").body.find("\"rules\":[]") != std::string::npos);
}

TEST_CASE("what the agent refuses becomes a code by kind") {
  struct Row {
    base::Kind kind;
    int status;
    std::string type;
  };
  const Row rows[] = {{base::Kind::limit, 422, "execution"},    {base::Kind::timeout, 503, "timeout"},
                      {base::Kind::cancelled, 503, "canceled"}, {base::Kind::unavailable, 503, "unavailable"},
                      {base::Kind::invalid, 422, "execution"},  {base::Kind::io, 500, "internal"}};
  for (const Row& row : rows) {
    CAPTURE(row.type);
    Handlers handlers;
    handlers.backend.next_answer = base::fail(row.kind, "because");
    const web::Response response = handlers.get("/api/v1/query?query=up");
    CHECK(response.status == row.status);
    CHECK(response.body == envelope(row.type, "because"));
  }
}

TEST_CASE("times and steps are read as Prometheus reads them") {
  CHECK(web::parse_time("1.5") == 1500);
  CHECK(web::parse_time("1e3") == 1'000'000);
  CHECK(web::parse_time("2026-11-23T06:50:45.25Z") == fakes::kShopNow);
  CHECK_FALSE(web::parse_time("yesterday"));
  CHECK_FALSE(web::parse_time("NaN"));
  CHECK_FALSE(web::parse_time("1e30"));
  CHECK(web::parse_step("1.5") == 1500);
  CHECK(web::parse_step("5m") == 300'000);
  CHECK_FALSE(web::parse_step("1e300"));
  CHECK_FALSE(web::parse_step("-5m"));
  CHECK(web::api_timestamp(1500) == "1.500");
  CHECK(web::api_timestamp(2000) == "2");
  CHECK(web::api_timestamp(-1) == "-0.001");
  CHECK(web::alert_value(1) == "1e+00");
  CHECK(web::alert_value(0.25) == "2.5e-01");
}

TEST_CASE("groups come in pages, each with the token of the next, and a token that is none is refused") {
  const Handlers handlers;
  std::string token, seen;
  for (int pages = 0; pages < 10; ++pages) {
    const std::string body =
        handlers.get("/api/v1/rules?group_limit=1" + (token.empty() ? "" : "&group_next_token=" + token)).body;
    for (std::size_t at = body.find(R"("file":)"); at != std::string::npos; at = body.find(R"("file":)", at + 1))
      seen += "g";
    const std::size_t at = body.find(R"("groupNextToken":")");
    if (at == std::string::npos) break;
    token = body.substr(at + 18, 16);
  }
  CHECK(seen == std::string(fakes::shop_snapshot().rule_groups.size(), 'g'));
  CHECK(handlers.get("/api/v1/rules?group_limit=1&group_next_token=none").status == 400);
  CHECK(handlers.get("/api/v1/rules?group_next_token=" + token).status == 400);
  CHECK(handlers.get("/api/v1/rules?group_limit=none").status == 400);
  CHECK(handlers.get("/api/v1/rules?match[]=%7B").status == 400);
}

// prometheus web/api/v1: SetCORS with the default of --web.cors.origin.
TEST_CASE("pages of others may read the API, and nothing but the API") {
  const Handlers handlers;
  const auto ask = [&](const char* method, const char* path, bool admin = false) {
    web::Request request;
    request.method = method;
    request.path = path;
    request.admin = admin;
    request.headers = {{"Origin", "http://grafana.shop"}};
    return handlers.answer(request);
  };
  CHECK(header(ask("GET", "/api/v1/alerts"), "Access-Control-Allow-Origin") == "*");
  CHECK(header(handlers.get("/api/v1/alerts"), "Access-Control-Allow-Origin") == "");
  CHECK(header(ask("GET", "/"), "Access-Control-Allow-Origin") == "");
  CHECK(header(ask("GET", "/api/v1/alerts", true), "Access-Control-Allow-Origin") == "");
  const web::Response preflight = ask("OPTIONS", "/api/v1/query");
  CHECK(preflight.status == 204);
  CHECK(header(preflight, "Access-Control-Allow-Methods") == "GET, POST, OPTIONS");
  CHECK(ask("OPTIONS", "/").status == 405);
}

TEST_CASE("values of a label with any name of UTF-8 can be asked for, as in Prometheus 3") {
  Handlers handlers;
  handlers.backend.series.push_back({{{"__name__", "x"}, {"svc.name", "shop"}}, {{fakes::kShopNow, 1}}});
  for (const char* name : {"U__svc_2e_name", "svc.name", "svc%2ename"})
    CHECK(handlers.get(std::string("/api/v1/label/") + name + "/values").body ==
          R"({"status":"success","data":["shop"]})");
  handlers.options.engine.compat = promql::Compat::v2;
  CHECK(handlers.get("/api/v1/label/svc.name/values").status == 400);
  CHECK(handlers.get("/api/v1/label/0x/values").status == 400);
}

TEST_CASE("who looks for an Alertmanager is told whose silences are where") {
  const Handlers handlers;
  for (const char* path : {"/api/v2/silences", "/api/v2/status"}) {
    const web::Response answer = handlers.get(path);
    CHECK(answer.status == 404);
    CHECK(answer.body.find("`fettle silence add`") != std::string::npos);
  }
}

TEST_CASE("what the process says of itself") {
  const Handlers handlers;
  const std::string body = handlers.get("/api/v1/status/runtimeinfo").body;
  for (const char* part : {R"("startTime":")", R"("reloadConfigSuccess":)", R"("storageRetention":")"})
    CHECK(body.find(part) != std::string::npos);
  CHECK(handlers.get("/api/v1/query_range?query=up&start=0&end=10&step=1.5m").status == 400);
}

TEST_CASE("a query comes back as Prometheus' tree, probes as its targets, and rules by their labels") {
  const Handlers handlers;
  const auto has = [&](const std::string& url, std::string_view part) {
    return handlers.get(url).body.find(part) != std::string::npos;
  };
  CHECK(has("/api/v1/parse_query?query=sum+by(service)(rate(up%7Bjob%3D~%22a%22%7D%5B5m%5D+offset+1m))+%3E+b",
            R"({"type":"binaryExpr","op":"\u003e","lhs":{"type":"aggregation","op":"sum","expr":{"type":"call",)"
            R"("func":{"name":"rate","argTypes":["matrix"],"variadic":0,"returnType":"vector"},"args":[)"
            R"({"type":"matrixSelector","range":300000,"name":"up","matchers":[{"name":"job","value":"a","type":"=~"},)"
            R"({"name":"__name__","value":"up","type":"="}],"offset":60000,"timestamp":null,"startOrEnd":null}]},)"
            R"("param":null,"grouping":["service"],"without":false},)"));
  CHECK(has("/api/v1/parse_query?query=rate(up%5B5m%5D+smoothed)", R"("startOrEnd":null,"smoothed":true})"));
  CHECK(handlers.get("/api/v1/parse_query?query=sum(").status == 400);
  CHECK(
      has("/api/v1/targets?scrapePool=order", R"("scrapePool":"order","scrapeUrl":"http://127.0.0.1:8081/healthz",)"));
  CHECK(has("/api/v1/targets?state=dropped", R"({"activeTargets":[],"droppedTargets":[],)"));
  CHECK(has("/api/v1/rules?match[]=%7Bseverity%3D%22page%22%7D", R"("name":"ServiceDown")"));
  CHECK(has("/api/v1/rules?match[]=%7Bseverity%3D%22critical%22%7D", R"({"groups":[]})"));
}
