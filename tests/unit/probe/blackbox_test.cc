#include "probe/blackbox/blackbox.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

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
           Row{"redis", "[fe80::1%eth0]:6379", "tcp", "[fe80::1%eth0]:6379", 10s, 10s},
           Row{"redis", "127.0.0.1:06379", "tcp", "127.0.0.1:6379", 10s, 10s},
           // As Go writes a path that is none.
           Row{"page", "http://shop.test/ä b/\\x?q=ä b", "http", "http://shop.test/%C3%A4%20b/%5Cx?q=ä%20b", 1s, 1s},
           Row{"page", "http://shop.test/a'b%2fc?%zz", "http", "http://shop.test/a'b%2fc?%zz", 1s, 1s},
           Row{"page", "http://shop.test/a'b%2fc<", "http", "http://shop.test/a%27b/c%3C", 1s, 1s},
       }) {
    CAPTURE(row.target);
    const auto spec = modules.spec(row.module, row.target, "", row.limit);
    REQUIRE_MESSAGE(spec.has_value(), spec.error().text);
    CHECK(spec->type->name == row.type);
    CHECK(spec->settings->target() == row.shown);
    CHECK(spec->timeout == row.timeout);
  }
  for (const char* server : {"10.0.0.1", "10.0.0.1:53", "[::1]", "::1", "ns.test:5353"})
    CHECK(modules.spec("names", server, "", 1s).has_value());
  CHECK(modules.spec("redis", "::1:6379", "", 1s).error().text == "the target must be HOST:PORT, got '::1:6379'");
  CHECK(modules.spec("page", "http://shop.test/%zz", "", 1s).error().text ==
        "the URL has a % that no two hexadecimal digits follow");
  CHECK(modules.spec("page", "10.0.0.7", "shop.test", 1s).has_value());
  CHECK(modules.text("redis").find("PONG") != std::string::npos);
}

TEST_CASE("keys of newer exporters are read") {
  const File file(R"(modules:
  socket:
    prober: websocket
    websocket:
      preferred_ip_protocol: ip4
      http_config:
        tls_config: {insecure_skip_verify: true}
        basic_auth: {username: shop, password: s3cret}
        http_headers: {X-Shop: {values: [eu, us]}, X-Key: {secrets: [k3y]}}
      query_response: [{expect: "^hello (.*)$"}, {send: "I am ${1}"}]
  bearer: {prober: websocket, websocket: {http_config: {bearer_token: t0ken}}}
  delegated:
    prober: http
    http:
      oauth2: {client_id: a, client_secret: b, token_url: "https://login.test/", scopes: [x], endpoint_params: {y: z}}
  any: {prober: http, http: {accept_any_response: true, valid_status_codes: []}}
  odd: {prober: http, http: {valid_status_codes: [999]}}
  caa: {prober: dns, dns: {query_name: shop.test, query_type: CAA}}
  https: {prober: dns, dns: {query_name: shop.test, query_type: HTTPS}}
  mail: {prober: tcp}
  judged: {prober: http, http: {fail_if_body_json_not_matches_cel: "body.status == 'ok'"}}
  headers: {prober: http, http: {headers: {Host: a.test}, http_headers: {Accept: {values: [text/plain, "*/*"]}}}}
  proxied: {prober: http, http: {proxy_url: "http://proxy.test:3128", no_proxy: "10.0.0.0/8", proxy_connect_header: {X: [y, z]}}}
  old_tls: {prober: http, http: {tls_config: {min_version: TLS10, max_version: TLS11}}}
  user_file: {prober: http, http: {basic_auth: {username_file: user, password_file: password}}}
  sourced: {prober: tcp, tcp: {source_ip_address: 127.0.0.1}}
  pinged: {prober: icmp, icmp: {source_ip_address: "::1"}}
  called: {prober: grpc, grpc: {metadata: {x-shop: [eu, us]}}}
  local: {prober: unix, unix: {tls: true, tls_config: {server_name: shop.test}, query_response: [{starttls: true}]}}
  version: {prober: dns, dns: {query_name: version.bind, query_type: TXT, query_class: CH, source_ip_address: 127.0.0.1}}
  private:
    prober: dns
    dns:
      query_name: shop.test
      transport_protocol: tcp
      dns_over_tls: true
      tls_config: {server_name: ns.test}
      validate_authority_rrs: {fail_if_none_matches_regexp: [SOA]}
      validate_additional_rrs: {fail_if_matches_regexp: [TXT]}
)");
  config::Errors errors;
  const auto modules = probe::BlackboxModules::load(file.path(), errors);
  CHECK(errors.text() == "");
  for (const auto& row : std::vector<std::tuple<const char*, const char*, const char*>>{
           {"socket", "wss://shop.test/feed", "wss://shop.test/feed"},
           {"bearer", "shop.test/feed", "ws://shop.test/feed"},
           {"delegated", "a", "http://a"},
           {"judged", "a", "http://a"},
           {"any", "a", "http://a"},
           {"any", "https://a/b c?d e", "https://a/b%20c?d%20e"},
           {"odd", "a", "http://a"},
           {"caa", "ns.test", "CAA of shop.test at ns.test:53"},
           {"https", "ns.test", "HTTPS of shop.test at ns.test:53"},
           {"mail", "mx.test:smtp", "mx.test:25"},
           {"headers", "a", "http://a"},
           {"proxied", "a", "http://a"},
           {"old_tls", "https://a", "https://a"},
           {"user_file", "a", "http://a"},
           {"sourced", "a:1", "a:1"},
           {"pinged", "::1", "::1"},
           {"called", "a:1", "a:1"},
           {"local", "/run/a", "/run/a"},
           {"version", "ns.test", "TXT of version.bind at ns.test:53"},
           {"private", "ns.test", "ANY of shop.test at ns.test:853"},
       }) {
    const auto& [module, target, shown] = row;
    CAPTURE(std::get<0>(row));
    const auto spec = modules.spec(module, target, "", 1s);
    REQUIRE_MESSAGE(spec.has_value(), spec.error().text);
    CHECK(spec->settings->target() == shown);
  }
  // What a page may show of them has no secret in it.
  for (const char* secret : {"s3cret", "k3y", "t0ken"})
    for (const std::string& module : modules.names()) CHECK(modules.text(module).find(secret) == std::string::npos);
}

TEST_CASE("what cannot be run is said when it is asked for, with its reason") {
  struct Row {
    const char *settings, *want;
  };
  for (const Row& row : {
           Row{"http: {enable_http3: true}", "http.enable_http3: Debian's HTTP library does not speak HTTP/3"},
           Row{"http: {oauth2: {client_id: a, token_url: b, tls_config: {cert_ref: x}}}",
               "http.oauth2.tls_config.cert_ref: there is no secret manager here; write cert_file"},
           Row{"http: {basic_auth: {password_ref: x}}",
               "http.basic_auth.password_ref: there is no secret manager here; write password_file"},
           Row{"http: {http_headers: {X-Key: {files: [key]}}}",
               "http.http_headers.X-Key.files: a header is written, not read; for credentials write authorization"},
       }) {
    CAPTURE(row.settings);
    const File file(std::string("modules:\n  m: {prober: http, ") + row.settings + "}\n");
    config::Errors errors;
    const auto modules = probe::BlackboxModules::load(file.path(), errors);
    CHECK(errors.text() == "");
    CHECK(modules.spec("m", "a:1", "", 1s).error().text ==
          std::string("module \"m\" cannot be used: it sets ") + row.want);
  }
  const File file("modules:\n  proxied: {prober: http, http: {proxy_from_environment: false, no_proxy: ''}}\n");
  config::Errors errors;
  const auto modules = probe::BlackboxModules::load(file.path(), errors);
  CHECK(errors.text() == "");
  CHECK(modules.spec("proxied", "a:1", "", 1s).has_value());
  CHECK(modules.spec("http_2xx", "a:1", "", 1s).error().text == "Unknown module \"http_2xx\"");
  CHECK(probe::BlackboxModules().spec("http_2xx", "a:1", "", 1s).has_value());
  CHECK(probe::BlackboxModules().spec("tcp_connect", "a", "", 1s).error().text ==
        "the target must be HOST:PORT, got 'a'");
}

TEST_CASE("a body from a file is read for each run") {
  const File file("modules:\n  m: {prober: http, http: {body_file: body.json}}\n  n: {prober: http}\n");
  std::ofstream(file.folder() + "/body.json") << "{}";
  config::Errors errors;
  const auto modules = probe::BlackboxModules::load(file.path(), errors);
  CHECK(errors.text() == "");
  CHECK(modules.reads_files("m"));
  CHECK_FALSE(modules.reads_files("n"));
  CHECK_FALSE(modules.reads_files("unknown"));
}

TEST_CASE("mistakes of a modules file are told with their place, all of them") {
  CHECK(mistakes(R"(modules:
  a: {prober: htp}
  b: {prober: http, timeout: 5, http: {methode: GET}}
  c: {prober: http, http: {valid_status_codes: [abc], body_size_limit: much}}
module: {}
)") == R"(blackbox.yml:2:6: modules.a.prober: expected one of http, tcp, unix, icmp, grpc, dns, websocket, got 'htp'
blackbox.yml:3:30: modules.b.timeout: expected a duration such as 500ms or 2s, got '5': a number needs a unit
blackbox.yml:3:40: modules.b.http.methode: unknown key; did you mean 'method'?
blackbox.yml:4:6: modules.c: body_size_limit: expected bytes such as 10MB, got much
blackbox.yml:5:1: module: unknown key; the file has the one key 'modules'
)");
}
