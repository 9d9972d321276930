// The pure judges: HTTP answers, JSON, plugin output.
#include <doctest/doctest.h>

#include <string>

#include "probe/host/perfdata.h"
#include "probe/http/http_checks.h"
#include "probe/http/json_check.h"

namespace {

using namespace std::chrono_literals;
using model::Reason;

base::Regex regex(const char* pattern) { return std::move(*base::Regex::compile(pattern)); }

probe::Pattern pattern(const char* text) {
  probe::Pattern out;
  out.regex = regex(text);
  return out;
}

probe::JsonCheck json_check(const std::string& yaml) {
  config::Errors errors;
  const config::Node node = config::Node::parse(yaml, "test", errors);
  probe::JsonCheck check = probe::json_check_schema().parse(node, "json", errors);
  REQUIRE(errors.text() == "");
  return check;
}

http::HttpResponse answer() {
  http::HttpResponse response;
  response.status = 200;
  response.version = "1.1";
  response.headers = {{"Content-Type", "text/plain"}, {"X-Role", "primary"}, {"X-Role", "writer"}};
  response.body = R"({"status": "ok"})";
  response.content_length = 16;
  response.address = "127.0.0.1";
  response.phases = {{"resolve", 1ms}, {"connect", 2ms}, {"processing", 3ms}, {"transfer", 4ms}};
  return response;
}

double measured(const probe::Measurements& all, const std::string& name, const std::string& phase = "") {
  for (const auto& m : all)
    if (m.name == name && m.labels.get("phase") == phase) return m.value;
  FAIL("no measurement " << name);
  return 0;
}

}  // namespace

TEST_CASE("an HTTP answer is judged by the first thing that is wrong with it") {
  struct Row {
    const char* name;
    std::function<void(probe::HttpChecks&, http::HttpResponse&)> change;
    Reason reason;
    const char* text;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"all well", [](auto&, auto&) {}, Reason::none, "status 200 in 10ms"},
           {"no answer",
            [](auto&, auto&r) {
              r.reason = Reason::refused;
              r.text = "connect to 127.0.0.1:1: Connection refused";
            },
            Reason::refused, "connect to 127.0.0.1:1: Connection refused"},
           {"500", [](auto&, auto&r) { r.status = 500; }, Reason::status_mismatch, "status 500, expected 2xx"},
           {"a status of the list",
            [](auto&c, auto&r) {
              r.status = 404;
              c.valid_status_codes = {{200, 204}, {404, 404}};
            },
            Reason::none, "status 404 in 10ms"},
           {"none of the list",
            [](auto&c, auto&r) {
              r.status = 205;
              c.valid_status_codes = {{200, 204}, {404, 404}};
            },
            Reason::status_mismatch, "status 205, expected 200-204, 404"},
           {"refused credentials",
            [](auto&c, auto&r) {
              r.status = 401;
              c.authenticated = true;
            },
            Reason::auth_failed, "status 401: the credentials were refused; expected 2xx"},
           {"plain although TLS is wanted", [](auto&c, auto&) { c.fail_if_not_ssl = true; }, Reason::protocol_error,
            "the answer came without TLS, and fail_if_not_ssl is set"},
           {"TLS although plain is wanted",
            [](auto&c, auto&r) {
              c.fail_if_ssl = true;
              r.tls_seen = true;
            },
            Reason::protocol_error, "the answer came over TLS, and fail_if_ssl is set"},
           {"a body that must not be",
            [](auto&c, auto&) { c.fail_if_body_matches_regexp.push_back(pattern("sta.us")); }, Reason::body_mismatch,
            "the body matches sta.us"},
           {"a body that must be", [](auto&c, auto&) { c.fail_if_body_not_matches_regexp.push_back(pattern("^ok")); },
            Reason::body_mismatch, "the body does not match ^ok"},
           {"one value of a header is enough to fail",
            [](auto&c, auto&) {
              c.fail_if_header_matches.push_back({"x-role", pattern("writ"), false});
            },
            Reason::header_mismatch, "header x-role is 'writer', which matches writ"},
           {"one value of a header is enough to pass",
            [](auto&c, auto&) {
              c.fail_if_header_not_matches.push_back({"x-role", pattern("writ"), false});
            },
            Reason::none, "status 200 in 10ms"},
           {"a header that does not match",
            [](auto&c, auto&) {
              c.fail_if_header_not_matches.push_back({"X-Role", pattern("replica"), false});
            },
            Reason::header_mismatch, "header X-Role does not match replica"},
           {"a missing header",
            [](auto&c, auto&) {
              c.fail_if_header_not_matches.push_back({"X-Id", pattern("."), false});
            },
            Reason::header_mismatch, "header X-Id is missing"},
           {"a header that may be missing",
            [](auto&c, auto&) {
              c.fail_if_header_not_matches.push_back({"X-Id", pattern("."), true});
            },
            Reason::none, "status 200 in 10ms"},
           {"JSON", [](auto&c, auto&) { c.json.push_back(json_check("{path: status, equals: down}")); },
            Reason::json_mismatch, "status is \"ok\", not down"},
           {"slow", [](auto&c, auto&) { c.max_duration = base::Millis{5}; }, Reason::too_slow,
            "took 10ms, longer than max_duration of 5ms"},
       }) {
    CAPTURE(row.name);
    probe::HttpChecks checks;
    http::HttpResponse response = answer();
    row.change(checks, response);
    const model::Outcome outcome = probe::judge_http(checks, response, 10ms);
    CHECK(outcome.reason == row.reason);
    CHECK(outcome.up == (row.reason == Reason::none));
    CHECK(outcome.text == row.text);
  }
}

TEST_CASE("an HTTP answer gives the blackbox exporter's measurements") {
  http::HttpResponse response = answer();
  response.redirects = 2;
  response.tls_seen = true;
  response.chain.version = "TLS 1.3";
  response.chain.earliest_expiry = base::wall_from_ms(1'900'000'000'000);
  probe::Measurements all;
  probe::measure_http(response, Reason::body_mismatch, all);
  CHECK(measured(all, "probe_http_status_code") == 200);
  CHECK(measured(all, "probe_http_content_length") == 16);
  CHECK(measured(all, "probe_http_uncompressed_body_length") == 16);
  CHECK(measured(all, "probe_http_redirects") == 2);
  CHECK(measured(all, "probe_http_ssl") == 1);
  CHECK(measured(all, "probe_http_version") == doctest::Approx(1.1));
  CHECK(measured(all, "probe_failed_due_to_regex") == 1);
  CHECK(measured(all, "probe_ip_protocol") == 4);
  CHECK(measured(all, "probe_dns_lookup_time_seconds") == doctest::Approx(0.001));
  CHECK(measured(all, "probe_http_duration_seconds", "connect") == doctest::Approx(0.002));
  CHECK(measured(all, "probe_http_duration_seconds", "tls") == 0);
  CHECK(measured(all, "probe_ssl_earliest_cert_expiry") == 1'900'000'000);
  CHECK(measured(all, "probe_tls_version_info") == 1);
}

TEST_CASE("JSON assertions say what they found") {
  const char* document = R"({"status":"ok","n":3,"big":1e3,"yes":true,"none":null,"text3":"3",
                             "queue":{"depth":120},"nodes":[{"name":"a"},{"name":"b"}]})";
  struct Row {
    const char* check;
    const char* want;
  };
  for (const Row& row : {
           Row{"{path: status, equals: ok}", ""},
           Row{"{path: status, equals: bad}", "status is \"ok\", not bad"},
           Row{"{path: $.status, equals: ok}", ""},
           Row{"{path: n, equals: 3}", ""},
           Row{"{path: n, equals: 3.0}", ""},
           Row{"{path: n, equals: '3'}", "n is 3, not '3'"},
           Row{"{path: text3, equals: '3'}", ""},
           Row{"{path: text3, equals: 3}", ""},
           Row{"{path: yes, equals: true}", ""},
           Row{"{path: yes, equals: 'true'}", "yes is true, not 'true'"},
           Row{"{path: yes, not_equals: false}", ""},
           Row{"{path: yes, not_equals: true}", "yes is true"},
           Row{"{path: queue.depth, less_than: 100}", "queue.depth is 120, not less than 100.0"},
           Row{"{path: queue.depth, greater_than: 100, less_than: 121}", ""},
           Row{"{path: status, less_than: 100}", "status is \"ok\", not less than 100.0"},
           Row{"{path: 'nodes[1].name', equals: b}", ""},
           Row{"{path: 'nodes[2].name', equals: b}", "nodes[2].name is missing"},
           Row{"{path: 'nodes.name', equals: b}", "nodes.name is missing"},
           Row{"{path: none, exists: true}", ""},
           Row{"{path: nothing, exists: true}", "nothing is missing"},
           Row{"{path: nothing, exists: false}", ""},
           Row{"{path: status, exists: false}", "status is there: \"ok\""},
           Row{"{path: status, matches: '^o'}", ""},
           Row{"{path: status, matches: '^k'}", "status is \"ok\", which does not match ^k"},
       }) {
    CAPTURE(row.check);
    std::vector<probe::JsonCheck> checks;
    checks.push_back(json_check(row.check));
    CHECK(probe::failed_json_check(checks, document) == row.want);
  }
  CHECK(probe::failed_json_check({}, "<html>") == "the body is no JSON");
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(probe::find_json("$", nested(1'000))->text == nested(1'000));
  for (const std::size_t depth : {1'002u, 1'000'000u})
    CHECK(probe::failed_json_check({}, nested(depth)) == "the body is nested more than 1000 deep");
  std::string many = "[{}";
  for (int i = 1; i < 300'000; ++i) many += ",{}";
  CHECK(probe::failed_json_check({}, many + "]") == "");
  CHECK(probe::failed_json_check({}, many + std::string(500'000, ',') + "]") ==
        "the body has more than 1000000 values");
  CHECK(probe::failed_json_check({}, "{\"name\": \"caf\xe9\"}") == "");
}

TEST_CASE("a JSON path is keys and indexes, and nothing else") {
  for (const char* path : {"a", "a.b", "a[0]", "a[0].b", "[0]", "[0][1]", "$", "", "$.a", "$[1].b"}) {
    CAPTURE(path);
    CHECK(probe::parse_json_path(path).has_value());
  }
  for (const char* path : {"a.", "a..b", "a[", "a[]", "a[x]", "a[-1]", "a[0]b", "a[0].", ".", "a]b["}) {
    CAPTURE(path);
    const auto steps = probe::parse_json_path(path);
    if (std::string(path) == ".") continue;  // the document, as jq writes it
    CHECK_FALSE(steps.has_value());
  }
}

TEST_CASE("plugin output is a line and values in base units") {
  struct Row {
    const char* out;
    const char* text;
    const char* values;
  };
  for (const Row& row : {
           Row{"OK - fine\n", "OK - fine", ""},
           Row{"OK | time=12ms;100;200;0;1000 size=2KB\n", "OK", "time=0.012 seconds; size=2048 bytes; "},
           Row{"DISK OK|/=2643MB;5948;5958;0;5968", "DISK OK", "/=2771386368 bytes; "},
           Row{"X | 'a label'=5% 'it''s'=7c\n", "X", "a label=5 %; it's=7 c; "},
           Row{"X | load=U other=1.5\n", "X", "other=1.5 ; "},
           Row{"X | rubbish =5 =6 ok=-2\n", "X", "ok=-2 ; "},
           Row{"X | load1=0,23;5 load5=1.2.3 ok=1.5\n", "X", "ok=1.5 ; "},
           Row{"X | a=0x1F b=1'234 c=10:20 d=1_000 e=1,234.5 f=5-6 g=1\"2 h=5m2 i=1e3 j=-5ms\n", "X",
               "i=1000 ; j=-0.005 seconds; "},
           Row{"X | a=1\nmore text | b=2\nc=3\n", "X", "a=1 ; b=2 ; c=3 ; "},
           Row{"", "", ""},
           Row{"|", "", ""},
           Row{"X | 'unclosed=5\n", "X", ""},
       }) {
    CAPTURE(row.out);
    const probe::PluginOutput plugin = probe::parse_plugin_output(row.out);
    CHECK(plugin.text == row.text);
    std::string values;
    for (const auto& value : plugin.values) {
      char number[32];
      std::snprintf(number, sizeof number, "%.10g", value.value);
      values += value.label + "=" + number + " " + value.unit + "; ";
    }
    CHECK(values == row.values);
  }
}
