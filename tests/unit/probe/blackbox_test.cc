#include "probe/blackbox.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

using namespace std::chrono_literals;

// A file of modules in a folder of its own.
class File {
 public:
  explicit File(const std::string& text) {
    std::string pattern = std::filesystem::temp_directory_path() / "fettle-modules-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    std::ofstream(path()) << text;
  }
  ~File() { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ + "/blackbox.yml"; }
  std::string folder() const { return folder_; }

 private:
  std::string folder_;
};

std::string mistakes(const std::string& text) {
  const File file(text);
  config::Errors errors;
  (void)probe::BlackboxModules::load(file.path(), errors);
  std::string out = errors.text();
  for (std::size_t at = out.find(file.folder()); at != std::string::npos; at = out.find(file.folder()))
    out.erase(at, file.folder().size() + 1);
  return out;
}

}  // namespace

TEST_CASE("a module and a target make a probe of our own") {
  const File file(R"(modules:
  page:
    prober: http
    timeout: 3s
    http:
      preferred_ip_protocol: ip4
      method: POST
      headers: {Content-Type: application/json}
      body: '{"order": "7"}'
      body_size_limit: 10MB
      fail_if_body_not_matches_regexp: ["ok, \"yes\""]
  redis: {prober: tcp, tcp: {query_response: [{send: "PING\r"}, {expect: "^\\+PONG"}]}}
  names: {prober: dns, dns: {query_name: shop.test}}
)");
  config::Errors errors;
  const auto modules = probe::BlackboxModules::load(file.path(), errors);
  CHECK(errors.text() == "");
  struct Row {
    const char *module, *target, *type, *shown;
    base::Millis limit, timeout;
  };
  for (const Row& row : {
           Row{"page", "127.0.0.1:80", "http", "http://127.0.0.1:80", 10s, 3s},
           Row{"page", "https://shop.test/x?y=1", "http", "https://shop.test/x?y=1", 1s, 1s},
           Row{"redis", "127.0.0.1:6379", "tcp", "127.0.0.1:6379", 10s, 10s},
           Row{"redis", "[::1]:6379", "tcp", "[::1]:6379", 10s, 10s},
       }) {
    CAPTURE(row.target);
    const auto spec = modules.spec(row.module, row.target, "", row.limit);
    REQUIRE_MESSAGE(spec.has_value(), spec.error().text);
    CHECK(spec->type->name == row.type);
    CHECK(spec->settings->target() == row.shown);
    CHECK(spec->timeout == row.timeout);
  }
  for (const char* server : {"10.0.0.1", "10.0.0.1:53", "[::1]", "ns.test:5353"})
    CHECK(modules.spec("names", server, "", 1s).has_value());
  CHECK(modules.spec("page", "10.0.0.7", "shop.test", 1s).has_value());
  CHECK(modules.text("redis").find("PONG") != std::string::npos);
}

TEST_CASE("what cannot be run is said when it is asked for") {
  const File file(R"(modules:
  delegated: {prober: http, http: {oauth2: {client_id: shop}}}
  sourced: {prober: tcp, tcp: {source_ip_address: 10.0.0.1}}
  proxied: {prober: http, http: {proxy_from_environment: false, no_proxy: ""}}
)");
  config::Errors errors;
  const auto modules = probe::BlackboxModules::load(file.path(), errors);
  CHECK(errors.text() == "");
  CHECK(modules.spec("delegated", "a:1", "", 1s).error().text ==
        "module \"delegated\" cannot be used: it sets http.oauth2, which fettle does not offer");
  CHECK(modules.spec("sourced", "a:1", "", 1s).error().text ==
        "module \"sourced\" cannot be used: it sets tcp.source_ip_address, which fettle does not offer");
  CHECK(modules.spec("proxied", "a:1", "", 1s).has_value());
  CHECK(modules.spec("http_2xx", "a:1", "", 1s).error().text == "Unknown module \"http_2xx\"");
  CHECK(probe::BlackboxModules().spec("http_2xx", "a:1", "", 1s).has_value());
  CHECK(probe::BlackboxModules().spec("tcp_connect", "a", "", 1s).error().text ==
        "the target must be HOST:PORT, got 'a'");
}

TEST_CASE("mistakes of a modules file are told with their place, all of them") {
  CHECK(mistakes(R"(modules:
  a: {prober: htp}
  b: {prober: http, timeout: 5, http: {methode: GET}}
  c: {prober: http, http: {valid_status_codes: [abc], body_size_limit: much}}
module: {}
)") == R"(blackbox.yml:2:6: modules.a.prober: expected one of http, tcp, unix, icmp, grpc, dns, got 'htp'
blackbox.yml:3:30: modules.b.timeout: expected a duration such as 500ms or 2s, got '5': a number needs a unit
blackbox.yml:3:40: modules.b.http.methode: unknown key; did you mean 'method'?
blackbox.yml:4:6: modules.c: body_size_limit: expected bytes such as 10MB, got much
blackbox.yml:5:1: module: unknown key; the file has the one key 'modules'
)");
}
