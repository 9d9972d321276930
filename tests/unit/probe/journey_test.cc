// journey: what goes from step to step, what is judged and measured, and that the clean-up always has its turn; and its
// parts: templates, cookies, URLs.
#include <doctest/doctest.h>

#include <fstream>
#include <memory>
#include <optional>
#include <string>

#include "config/agent_config.h"
#include "encoding/url.h"
#include "fakes/probe_world.h"
#include "http/cookie_jar.h"
#include "probe/http/template.h"
#include "probe/run_once.h"

namespace {

using namespace std::chrono_literals;
using model::Reason;

// The mistakes of a probe's mapping, or "".
std::string mistakes(const std::string& yaml, std::vector<probe::Spec>* specs = nullptr) {
  config::Errors errors;
  config::Service service;
  service.probes = {config::Node::parse("{type: journey, interval: 1m, timeout: 10s, " + yaml + "}", "f", errors)};
  auto parsed = probe::parse_probes("shop", service, {}, errors);
  if (specs) *specs = std::move(parsed);
  std::string text = errors.text();
  if (text.ends_with("\n")) text.pop_back();
  return text;
}

struct Walk {
  explicit Walk(const std::string& yaml) {
    REQUIRE(mistakes(yaml, &specs) == "");
    attempt = probe::run_once(world.context, specs.at(0), [this](model::Outcome outcome) {
      ++answers;
      found = std::move(outcome);
    });
    world.loop.run_due();
  }
  void answer(int status, const std::string& body = "", http::Headers headers = {}) {
    http::HttpResponse response;
    response.status = status;
    response.body = body;
    response.headers = std::move(headers);
    response.phases = {{"connect", 1ms}, {"processing", 2ms}};
    REQUIRE(world.http.desk.waiting() == 1);
    world.http.desk.answer(std::move(response));
  }
  void fail(Reason reason, const std::string& text) {
    http::HttpResponse response;
    response.reason = reason;
    response.text = text;
    world.http.desk.answer(std::move(response));
  }
  const http::HttpRequest& asked() const { return world.http.desk.last(); }
  std::string header(std::string_view name) const {
    for (const auto& [key, value] : asked().headers)
      if (key == name) return value;
    return "none";
  }
  // "login=1 cart=0": the steps that ran.
  std::string steps(const std::string& name = "probe_journey_step_success") const {
    std::string out;
    for (const auto& m : found.measurements)
      if (m.name == name)
        out += (out.empty() ? "" : " ") + std::string(m.labels.get("step")) + "=" +
               std::to_string(static_cast<int>(m.value));
    return out;
  }
  fakes::ProbeWorld world;
  std::vector<probe::Spec> specs;
  std::unique_ptr<probe::Attempt> attempt;
  model::Outcome found;
  int answers = 0;
};

const std::string kShop = R"yaml(base_url: "http://shop/", variables: {sku: "A/1", quantity: 2}, steps: [
  {name: login, request: {url: /login, json: {user: probe, remember: true}}, capture: {token: {json: data.token}}},
  {name: cart, request: {url: "/carts?sku=${sku}", headers: {Authorization: "Bearer ${token}"},
    json: {sku: "${sku}", quantity: "${quantity}", note: "say \"${sku}\""}}, expect: {status: 201},
    capture: {cart: {header: Location, regexp: "/carts/(\\d+)"}, total: {json: total}}},
  {name: order, request: {url: "/orders", form: {cart: "${cart}", sku: "${sku}"}},
    expect: {json: [{path: total, equals: "${total}"}, {path: cart, equals: "${cart}"}], body: '"paid":true'}},
  {name: clean-up, always: true, request: {method: DELETE, url: "/carts/${cart}"}, expect: {status: [204, 404]}}])yaml";

}  // namespace

TEST_CASE("what a journey logs in with is for its own host, and a step that logs in by itself needs none") {
  Walk walk(R"yaml(base_url: "http://shop/", authorization: {credentials: k3y}, steps: [
  {name: own, request: {url: /a}}, {name: whole, request: {url: "http://shop/b"}},
  {name: itself, request: {url: /c, headers: {Authorization: mine}}},
  {name: elsewhere, request: {url: "http://pay/d"}}, {name: away, request: {url: /e}}])yaml");
  for (const char* want : {"Bearer k3y", "Bearer k3y", "mine", "none"}) {
    CHECK(walk.header("Authorization") == want);
    walk.answer(200);
  }
  CHECK(walk.header("Authorization") == "Bearer k3y");
  walk.answer(307, "", {{"Location", "http://pay/f"}});
  CHECK(walk.asked().url == "http://pay/f");
  CHECK(walk.header("Authorization") == "none");
  walk.answer(200);
  CHECK(walk.found.up);
  CHECK(mistakes("basic_auth: {username: a}, steps: [{name: a, request: {url: 'http://a/'}}]") ==
        "f:1:57: services.shop.probes[0].basic_auth: needs base_url: it is sent to that host only");
}

TEST_CASE("a journey hands on what it captures, and every step is measured") {
  Walk walk(kShop);
  CHECK(walk.asked().method == "POST");
  CHECK(walk.asked().url == "http://shop/login");
  CHECK(walk.asked().body == R"({"user":"probe","remember":true})");
  CHECK(walk.header("Content-Type") == "application/json");
  walk.answer(200, R"({"data": {"token": "t\"1"}})");
  CHECK(walk.asked().url == "http://shop/carts?sku=A%2F1");
  CHECK(walk.header("Authorization") == "Bearer t\"1");
  CHECK(walk.asked().body == R"({"sku":"A/1","quantity":2,"note":"say \"A/1\""})");
  walk.answer(201, R"({"total": 7.5})", {{"location", "/carts/42"}});
  CHECK(walk.asked().url == "http://shop/orders");
  CHECK(walk.asked().body == "cart=42&sku=A%2F1");
  CHECK(walk.header("Content-Type") == "application/x-www-form-urlencoded");
  walk.answer(200, R"({"total":7.5,"cart":"42","paid":true})");
  CHECK(walk.asked().method == "DELETE");
  CHECK(walk.asked().url == "http://shop/carts/42");
  CHECK(walk.answers == 0);
  walk.answer(204);
  CHECK(walk.answers == 1);
  CHECK(walk.found.up);
  CHECK(walk.found.text == "4 steps in 0s");
  CHECK(walk.steps() == "login=1 cart=1 order=1 clean-up=1");
  CHECK(walk.steps("probe_journey_step_status_code") == "login=200 cart=201 order=200 clean-up=204");
  REQUIRE(walk.found.phases.size() == 2);
  CHECK(walk.found.phases[1].name == "processing");
  CHECK(walk.found.phases[1].took == 8ms);
}

TEST_CASE("a step that fails ends the journey with its reason, but for the clean-up") {
  Walk walk(kShop);
  walk.answer(200, R"({"data": {"token": "t"}})");
  walk.answer(201, R"({"total": 7})", {{"Location", "/carts/42"}});
  walk.answer(200, R"({"total":8,"cart":"42","paid":true})");
  CHECK(walk.asked().method == "DELETE");
  walk.answer(500);
  CHECK(walk.found.reason == Reason::json_mismatch);
  CHECK(walk.found.text ==
        "step order (3 of 4, POST /orders): total is 8, not 7; then step clean-up (4 of 4, DELETE /carts/${cart}): "
        "status 500, expected 204, 404");
  CHECK(walk.steps() == "login=1 cart=1 order=0 clean-up=0");
}

TEST_CASE("a clean-up has nothing to do when what it needs was never there") {
  Walk walk(kShop);
  walk.answer(200, R"({"data": {"token": "t"}})");
  walk.answer(500);
  CHECK(walk.answers == 1);
  CHECK(walk.found.reason == Reason::status_mismatch);
  CHECK(walk.found.text == "step cart (2 of 4, POST /carts?sku=${sku}): status 500, expected 201");
  CHECK(walk.steps() == "login=1 cart=0");
}

TEST_CASE("a clean-up that fails fails the journey") {
  Walk walk("steps: [{name: a, request: {url: 'http://x/'}}, {name: z, always: true, request: {url: 'http://x/z'}}]");
  walk.answer(200);
  walk.fail(Reason::refused, "connect to x:80: Connection refused");
  CHECK(walk.found.reason == Reason::refused);
  CHECK(walk.found.text == "step z (2 of 2, GET http://x/z): connect to x:80: Connection refused");
}

TEST_CASE("a step that hangs leaves the clean-up its time") {
  Walk walk(
      "steps: [{name: a, timeout: 3s, request: {url: 'http://x/'}}, {name: b, request: {url: 'http://x/b'}}, "
      "{name: y, always: true, request: {url: 'http://x/y'}}, "
      "{name: z, always: true, timeout: 2s, request: {url: 'http://x/z'}}]");
  const base::Instant began = walk.world.loop.now();
  CHECK(walk.asked().deadline == began + 3s);
  walk.world.loop.advance(2s);
  walk.answer(200);
  CHECK(walk.asked().deadline == began + 7s);  // 10 s, without a tenth for y and the two seconds of z
  walk.world.loop.advance(5s);
  walk.fail(Reason::read_timeout, "no answer from x:80 in time");
  CHECK(walk.asked().deadline == began + 8s);
  walk.answer(200);
  CHECK(walk.asked().url == "http://x/z");
  CHECK(walk.asked().deadline == began + 9s);
  walk.answer(200);
  CHECK(walk.found.reason == Reason::read_timeout);
  CHECK(walk.steps() == "a=1 b=0 y=1 z=1");
}

TEST_CASE("what a journey captured to log in with is in no text, what it captured to compare is") {
  Walk walk(
      "base_url: 'http://127.0.0.1:80', steps: [{name: login, request: {url: /login}, "
      "capture: {tok: {json: token}, price: {json: price}}}, {name: use, request: {url: /cart, headers: "
      "{Authorization: 'Bearer ${tok}'}}, expect: {json: [{path: said, equals: '${price}'}]}}]");
  walk.answer(200, R"({"token":"s3ss10n-t0ken","price":"98.50"})", {{"Set-Cookie", "sid=c00kie-value; Path=/"}});
  CHECK(walk.header("Authorization") == "Bearer s3ss10n-t0ken");
  CHECK(walk.header("Cookie") == "sid=c00kie-value");
  walk.answer(200, R"({"said":"c00kie-value s3ss10n-t0ken 99"})");
  CHECK(walk.found.reason == Reason::json_mismatch);
  CHECK(walk.found.text == "step use (2 of 2, GET /cart): said is \"<secret> <secret> 99\", not '98.50'");
}

TEST_CASE("a journey keeps cookies, also those of a redirect, and follows it as a browser would") {
  Walk walk(
      "base_url: 'http://127.0.0.1:80', headers: {X-Probe: fettle}, steps: ["
      "{name: login, request: {url: /in/login, headers: {Authorization: Basic eDp5}, form: {user: me}}, "
      "capture: {session: {cookie: SID}}}, {name: next, request: {url: '/in/next?s=${session}'}}]");
  walk.answer(302, "", {{"Set-Cookie", "SID=abc; Path=/; HttpOnly; Secure"}, {"Location", "home"}});
  CHECK(walk.asked().method == "GET");
  CHECK(walk.asked().url == "http://127.0.0.1:80/in/home");
  CHECK(walk.asked().body.empty());
  CHECK(walk.header("Cookie") == "SID=abc");
  CHECK(walk.header("X-Probe") == "fettle");
  CHECK(walk.header("Authorization") == "Basic eDp5");
  CHECK(walk.header("Content-Type") == "none");
  walk.answer(307, "", {{"Location", "http://other/"}});
  CHECK(walk.header("Authorization") == "none");
  CHECK(walk.header("Cookie") == "none");
  walk.answer(200);
  CHECK(walk.asked().url == "http://127.0.0.1:80/in/next?s=abc");
  for (int i = 0; i < 10; ++i) walk.answer(301, "", {{"Location", "/again"}});
  walk.answer(301, "", {{"Location", "/again"}});
  CHECK(walk.found.reason == Reason::protocol_error);
  CHECK(walk.found.text.find("more than 10 redirects") != std::string::npos);
}

TEST_CASE("secrets come from files, and what cannot be read is told") {
  const std::string file = "/tmp/fettle-journey-secret-" + std::to_string(::getpid());
  std::ofstream(file) << "open sesame\n";
  const std::string yaml = "variable_files: {password: " + file +
                           "}, steps: [{name: a, request: {url: 'http://x/', body: 'p=${password}'}}]";
  Walk good(yaml);
  CHECK(good.asked().body == "p=open sesame");
  ::unlink(file.c_str());
  Walk bad(yaml);
  CHECK(bad.found.reason == Reason::agent_overloaded);
  CHECK(bad.found.text.starts_with("no value for ${password}: "));
}

TEST_CASE("what a step cannot capture fails it") {
  struct Row {
    const char* capture;
    Reason reason;
    const char* text;
  };
  for (const Row& row : {
           Row{"{json: a.b}", Reason::json_mismatch, "cannot capture v: a.b is missing"},
           Row{"{header: Location}", Reason::header_mismatch, "cannot capture v: there is no header Location"},
           Row{"{cookie: SID}", Reason::header_mismatch, "cannot capture v: there is no cookie SID"},
           Row{"{regexp: 'x=(.)'}", Reason::body_mismatch, "cannot capture v: nothing matches x=(.)"},
       }) {
    Walk walk("steps: [{name: a, request: {url: 'http://x/'}, capture: {v: " + std::string(row.capture) + "}}]");
    walk.answer(200, "{}");
    CHECK(walk.found.reason == row.reason);
    CHECK(walk.found.text == "step a (1 of 1, GET http://x/): " + std::string(row.text));
  }
}

TEST_CASE("a journey's mistakes are told where they are") {
  struct Row {
    const char* yaml;
    std::string text;
  };
  for (const Row& row : {
           Row{"steps: []", "f:1:52: services.shop.probes[0].steps: needs at least one step"},
           Row{"steps: [{name: a}]", "f:1:53: services.shop.probes[0].steps[0]: needs a request with a url"},
           Row{"steps: [{name: a, request: {url: /x}}]",
               "f:1:53: services.shop.probes[0].steps[0].request.url: must be http:// or https:// and a host, or give "
               "the journey a base_url"},
           Row{"variables: {token: x}, steps: [{name: a, request: {url: 'http://x/${tokn}'}}]",
               "f:1:76: services.shop.probes[0].steps[0]: there is no variable 'tokn' at this step; did you mean "
               "'token'?"},
           Row{"steps: [{name: a, request: {url: 'http://x/', body: '${a b}'}}]",
               "f:1:97: services.shop.probes[0].steps[0].request.body: '${a b}' is no variable; write ${name}, or $${ "
               "for the characters ${"},
           Row{"steps: [{name: a, request: {url: 'http://x/'}, capture: {v: {}}}]",
               "f:1:105: services.shop.probes[0].steps[0].capture.v: says nothing; add json, header, cookie or "
               "regexp"},
           Row{"steps: [{name: a, request: {url: 'http://x/', body: x, json: {}}}]",
               "f:1:72: services.shop.probes[0].steps[0].request: give one of body, json and form"},
           Row{"steps: [{name: a, request: {url: 'http://x/'}}, {name: a, request: {url: 'http://x/'}}]",
               "f:1:93: services.shop.probes[0].steps[1].name: another step is called 'a' already"},
       }) {
    CAPTURE(row.yaml);
    CHECK(mistakes(row.yaml) == row.text);
  }
}

TEST_CASE("a template puts values where they do no harm") {
  const probe::Variables variables{{"a", {"x y/\"\n", false}}, {"n", {"5", true}}, {"u", {"http://h/p?q", false}}};
  const auto fill = [&](std::string_view text, probe::Template::Encoding encoding) {
    const auto parsed = probe::Template::parse(text, encoding);
    return parsed ? parsed->fill(variables).value_or("no value") : parsed.error().text;
  };
  using Encoding = probe::Template::Encoding;
  CHECK(fill("p=${a}", Encoding::plain) == "p=x y/\"\n");
  CHECK(fill("/p/${a}?n=${n}", Encoding::url) == "/p/x%20y%2F%22%0A?n=5");
  CHECK(fill("${u}", Encoding::url) == "http://h/p?q");
  CHECK(fill("$${a} costs $5", Encoding::plain) == "${a} costs $5");
  CHECK(fill("${b}", Encoding::plain) == "no value");
  CHECK(fill("${", Encoding::plain) == "'${' is no variable; write ${name}, or $${ for the characters ${");
  config::Errors errors;
  const auto node = config::Node::parse(
      "{s: '${a}', n: '${n}', both: 'n is ${n}', plain: word, quoted: '5', number: 5, list: [1.5, -2, null, ~, "
      "'true', false], \"k\\\"\": {}}",
      "f", errors);
  const auto json = probe::Template::parse_json(node);
  REQUIRE(json);
  CHECK(json->fill(variables).value_or("") ==
        R"({"s":"x y/\"\n","n":5,"both":"n is 5","plain":"word","quoted":"5","number":5,)"
        R"("list":[1.5,-2,null,null,"true",false],"k\"":{}})");
}

TEST_CASE("cookies go where they belong") {
  const base::WallTime now = base::wall_from_ms(1'700'000'000'000);
  struct Row {
    const char* from;
    const char* set;
    const char* to;
    const char* sent;
  };
  for (const Row& row : {
           Row{"http://shop.test/a/b", "s=1", "http://shop.test/a/c", "s=1"},
           Row{"http://shop.test/a/b", "s=1", "http://shop.test/x", ""},
           Row{"http://shop.test/a/b", "s=1; path=/", "http://shop.test/x", "s=1"},
           Row{"http://shop.test/", "s=1", "http://www.shop.test/", ""},
           Row{"http://www.shop.test/", "s=1; Domain=.shop.test", "http://api.shop.test/", "s=1"},
           Row{"http://www.shop.test/", "s=1; Domain=other.test", "http://other.test/", ""},
           Row{"http://shop.test/", "s=1; Secure", "http://shop.test/", ""},
           Row{"https://shop.test/", "s=1; Secure", "https://shop.test/", "s=1"},
           Row{"http://127.0.0.1:8080/", "s=1; Secure", "http://127.0.0.1:8080/", "s=1"},
           Row{"http://shop.test/", "s=1; Max-Age=0", "http://shop.test/", ""},
           Row{"http://shop.test/", "s=1; Max-Age=60", "http://shop.test/", "s=1"},
           Row{"http://shop.test/", "s=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "http://shop.test/", ""},
           Row{"http://shop.test/", "s=1; Expires=Fri, 01-Jan-2100 00:00:00 GMT", "http://shop.test/", "s=1"},
           Row{"http://shop.test/", "nonsense", "http://shop.test/", ""},
           Row{"http://shop.test/", "=x", "http://shop.test/", ""},
       }) {
    CAPTURE(row.set);
    http::CookieJar jar;
    jar.take(*encoding::parse_url(row.from), {{"set-cookie", row.set}}, now);
    CHECK(jar.for_request(*encoding::parse_url(row.to)) == row.sent);
  }
  http::CookieJar jar;
  jar.take(*encoding::parse_url("http://h/"), {{"Set-Cookie", "a=1"}, {"Set-Cookie", "b=2"}, {"Set-Cookie", "a=3"}},
           now);
  CHECK(jar.for_request(*encoding::parse_url("http://h/")) == "b=2; a=3");
  CHECK(jar.find("a") == "3");
}

TEST_CASE("a Location leads where RFC 3986 says") {
  const auto base = *encoding::parse_url("http://a:8080/b/c/d?q");
  for (const auto& [reference, target] : std::initializer_list<std::pair<const char*, const char*>>{
           {"g", "http://a:8080/b/c/g"},
           {"./g", "http://a:8080/b/c/g"},
           {"g/", "http://a:8080/b/c/g/"},
           {"/g", "http://a:8080/g"},
           {"//g", "http://g"},
           {"?y", "http://a:8080/b/c/d?y"},
           {"g?y/../x", "http://a:8080/b/c/g?y/../x"},
           {"", "http://a:8080/b/c/d?q"},
           {".", "http://a:8080/b/c/"},
           {"..", "http://a:8080/b/"},
           {"../g", "http://a:8080/b/g"},
           {"../../../g", "http://a:8080/g"},
           {"https://x/y#z", "https://x/y"},
       })
    CHECK(encoding::resolved(base, reference) == target);
  CHECK_FALSE(encoding::parse_url("ftp://a/"));
  CHECK_FALSE(encoding::parse_url("http:///x"));
  CHECK(encoding::parse_url("http://[::1]:80/x")->host == "::1");
}
