// consul_kv_configs and etcd_kv_configs: each key is a list, a text with mistakes keeps what its key said before.
#include <doctest/doctest.h>

#include <string>

#include "base/base64.h"
#include "source_site.h"

namespace {

using namespace std::chrono_literals;

using Texts = std::map<std::string, std::string>;

struct Store : SourceSite {
  using SourceSite::SourceSite;
  // "NAME: a:1{…} b:2{} (error)", a list a line.
  std::string shown() const {
    std::string out;
    for (const discover::TargetList* list : sd->lists()) {
      out += list->name + ":";
      for (const discover::Target& target : list->targets) out += " " + target.address + target.labels.to_string();
      out += (list->error.empty() ? "" : " (" + list->error + ")") + "\n";
    }
    return out;
  }
};

std::string consul_answer(const Texts& texts) {
  std::string out;
  for (const auto& [key, text] : texts)
    out += (out.empty() ? "" : ",") + (R"({"Key":")" + key + R"(","Value":")" + base::base64_encode(text) + R"("})");
  return "[" + out + "]";
}
std::string etcd_answer(const Texts& texts) {
  std::string out;
  for (const auto& [key, text] : texts)
    out += (out.empty() ? "" : ",") +
           (R"({"key":")" + base::base64_encode(key) + R"(","value":")" + base::base64_encode(text) + R"("})");
  return R"({"header":{"revision":"7"},"kvs":[)" + out + R"(],"count":"1"})";
}

}  // namespace

TEST_CASE("keys of Consul below a prefix are lists of targets") {
  Store store(discover::consul_kv_source, "prefix: shop/my targets/");
  CHECK(store.http.desk.last().url == "http://localhost:8500/v1/kv/shop/my%20targets/?recurse");
  store.http.desk.answer(answered(404, "", "5"));  // nothing is there yet
  CHECK(store.shown() == "http://localhost:8500:\n");
  CHECK(store.changes == 1);
  store.loop.advance(100ms);
  CHECK(store.http.desk.last().url.ends_with("?recurse&index=5&wait=60000ms"));
  const std::string good = "- targets: [a:1]\n  labels: {zone: eu}\n";
  store.http.desk.answer(answered(200, consul_answer({{"shop/", ""}, {"shop/a", good}, {"shop/b", "[]"}}), "6"));
  const std::string a = R"( a:1{__meta_consul_key="shop/a", zone="eu"})";
  CHECK(store.shown() ==
        "http://localhost:8500:\nhttp://localhost:8500/shop/a:" + a + "\nhttp://localhost:8500/shop/b:\n");
  CHECK(store.changes == 2);
  // Mistakes have their place, and what was good before goes on.
  store.loop.advance(100ms);
  store.http.desk.answer(answered(200, consul_answer({{"shop/a", "- target: [a:2]\n"}}), "7"));
  CHECK(store.shown() == "http://localhost:8500:\nhttp://localhost:8500/shop/a:" + a +
                             " (http://localhost:8500/shop/a:1:3: [0].target: unknown key; did you mean 'targets'?)\n");
  CHECK(store.changes == 3);
  store.loop.advance(100ms);
  store.http.desk.answer(answered(500, "No cluster leader"));
  CHECK(
      store.shown().starts_with("http://localhost:8500: (http://localhost:8500: GET /v1/kv/shop/my%20targets/?recurse: "
                                "HTTP status 500: No cluster leader)\nhttp://localhost:8500/shop/a:" +
                                a));
  store.loop.advance(1s);
  store.http.desk.answer(answered(200, "{}", "8"));
  CHECK(store.shown().starts_with("http://localhost:8500: (http://localhost:8500: the answer is no JSON list)"));
  store.loop.advance(100ms);
  store.http.desk.answer(answered(404, "", "9"));
  CHECK(store.shown() == "http://localhost:8500:\n");
}

TEST_CASE("keys of etcd below a prefix are lists of targets, and the next member is asked") {
  Store store(discover::etcd_kv_source, "endpoints: ['http://e1.test:2379/', 'http://e2.test:2379'], prefix: /shop/");
  CHECK(store.http.desk.last().url == "http://e1.test:2379/v3/kv/range");
  CHECK(store.http.desk.last().body ==
        R"({"key":")" + base::base64_encode("/shop/") + R"(","range_end":")" + base::base64_encode("/shop0") + R"("})");
  store.http.desk.answer(answered(200, etcd_answer({{"/shop/a", "- targets: [a:1]\n"}})));
  const std::string a = "http://e1.test:2379:\nhttp://e1.test:2379//shop/a: a:1{__meta_etcd_key=\"/shop/a\"}\n";
  CHECK(store.shown() == a);
  store.loop.advance(10s);
  http::HttpResponse refused;
  refused.reason = model::Reason::refused;
  refused.text = "connection refused";
  store.http.desk.answer(refused);
  CHECK(store.http.desk.last().url == "http://e2.test:2379/v3/kv/range");
  CHECK(store.shown() == a);
  store.http.desk.answer(answered(403, R"({"error":"etcdserver: permission denied","code":7})"));
  CHECK(
      store.shown().starts_with("http://e1.test:2379: (http://e1.test:2379: http://e2.test:2379: HTTP status 403: "
                                "etcdserver: permission denied)\n"));
  CHECK(store.shown().find("a:1{") != std::string::npos);
  store.loop.advance(10s);
  store.http.desk.answer(answered(200, R"({"header":{}})"));  // no key is there
  CHECK(store.shown() == "http://e1.test:2379:\n");
}

TEST_CASE("a member of etcd that never answers is waited for, and the next one is asked") {
  Store store(discover::etcd_kv_source, "endpoints: ['http://e1.test:2379', 'http://e2.test:2379'], prefix: /shop/");
  store.loop.advance(60s);
  REQUIRE(store.http.desk.asked().size() == 1);
  REQUIRE(store.http.desk.waiting() == 1);
  store.http.desk.answer(fakes::broken(model::Reason::read_timeout, "no answer in 10 s"));
  CHECK(store.http.desk.last().url == "http://e2.test:2379/v3/kv/range");
  store.http.desk.answer(answered(200, etcd_answer({{"/shop/a", "- targets: [a:1]\n"}})));
  CHECK(store.shown().find("a:1{") != std::string::npos);
  store.loop.advance(10s);
  CHECK(store.http.desk.asked().size() == 3);
}

TEST_CASE("a server that gives no index is asked once in the time of a blocking query") {
  Store store(discover::consul_kv_source, "prefix: shop/");
  store.http.desk.answer(answered(200, "[]"));
  store.loop.advance(59s);
  CHECK(store.http.desk.asked().size() == 1);
  store.loop.advance(2s);
  REQUIRE(store.http.desk.asked().size() == 2);
  CHECK(store.http.desk.last().url == "http://localhost:8500/v1/kv/shop/?recurse");
}
