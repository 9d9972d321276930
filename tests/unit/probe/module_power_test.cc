// Which modules others than the configuration may choose, and what a target's label __param_module may name.
#include <doctest/doctest.h>

#include <string>

#include "config/agent_config.h"
#include "fakes/temporary_folder.h"
#include "probe/blackbox/blackbox.h"
#include "probe/discovered.h"

namespace {

struct Folder : fakes::TemporaryFolder {
  Folder() { write("secret", "hunter2"); }
};

struct Row {
  const char *module, *power;
};

constexpr Row kRows[] = {
    // Judges the answer, or says what is asked.
    {"{prober: http}", ""},
    {"{prober: http, timeout: 3s, http: {method: HEAD, valid_status_codes: [404], no_follow_redirects: true}}", ""},
    {"{prober: http, http: {headers: {Accept-Language: de, Host: a}, body_size_limit: 1KB, compression: gzip}}", ""},
    {"{prober: http, http: {fail_if_header_matches: [{header: A, regexp: b}], fail_if_not_ssl: true}}", ""},
    {"{prober: http, http: {fail_if_body_json_matches_cel: 'body.a == 1', fail_if_body_matches_regexp: [a]}}", ""},
    {"{prober: http, http: {proxy_url: '', tls_config: {}, authorization: null}}", ""},
    {"{prober: tcp}", ""},
    {"{prober: tcp, tcp: {tls: true, query_response: [{expect: '^SSH-2.0-'}]}}", ""},
    {"{prober: icmp, icmp: {ttl: 5, preferred_ip_protocol: ip4, ip_protocol_fallback: false}}", ""},
    {"{prober: dns, dns: {query_name: a, validate_answer_rrs: {fail_if_matches_regexp: [b]}}}", ""},
    {"{prober: grpc, grpc: {service: a, tls: true, preferred_ip_protocol: ip4, ip_protocol_fallback: false}}", ""},
    {"{prober: unix}", ""},
    {"{prober: websocket}", ""},
    // Has what only the configuration may send somewhere.
    {"{prober: http, http: {basic_auth: {username: a, password: b}}}", "basic_auth"},
    {"{prober: http, http: {basic_auth: {username: a}}}", "basic_auth"},
    {"{prober: http, http: {basic_auth: {username_file: secret}}}", "basic_auth"},
    {"{prober: http, http: {authorization: {credentials: x}}}", "authorization"},
    {"{prober: http, http: {authorization: {credentials_file: secret}}}", "authorization"},
    {"{prober: http, http: {bearer_token: x}}", "authorization"},
    {"{prober: http, http: {bearer_token_file: secret}}", "authorization"},
    {"{prober: http, http: {proxy_from_environment: true}}", "proxy_from_environment"},
    {"{prober: http, http: {oauth2: {client_id: a, client_secret: b, token_url: 'http://a'}}}", "oauth2"},
    {"{prober: http, http: {headers: {X-Api-Key: k}}}", "headers"},
    {"{prober: http, http: {headers: {X-Anything: k}}}", "headers"},
    {"{prober: http, http: {headers: {Cookie: [a, b]}}}", "headers"},
    {"{prober: http, http: {http_headers: {Host: {secrets: [x]}}}}", "http_headers"},
    {"{prober: http, http: {http_headers: {X: {values: [x]}}}}", "headers"},
    {"{prober: http, http: {body: 'password=x'}}", "body"},
    {"{prober: http, http: {body_file: secret}}", "body"},
    {"{prober: http, http: {proxy_url: 'http://10.0.0.1:3128'}}", "proxy_url"},
    {"{prober: http, http: {tls_config: {insecure_skip_verify: true}}}", "tls_config"},
    {"{prober: tcp, tcp: {tls: true, tls_config: {cert_file: secret, key_file: secret}}}", "tls_config"},
    {"{prober: tcp, tcp: {source_ip_address: 10.0.0.1}}", "source_ip_address"},
    {"{prober: tcp, tcp: {query_response: [{send: 'AUTH x'}]}}", "query_response"},
    {"{prober: unix, unix: {query_response: [{send: 'AUTH x'}]}}", "query_response"},
    {"{prober: grpc, grpc: {metadata: {x-token: a}}}", "metadata"},
    {"{prober: websocket, websocket: {headers: {Cookie: a}}}", "headers"},
    {"{prober: websocket, websocket: {http_config: {basic_auth: {username: a, password: b}}}}", "basic_auth"},
    {"{prober: websocket, websocket: {http_config: {bearer_token: a}}}", "authorization"},
};

}  // namespace

TEST_CASE("a module that sends, shows or reads something of its own is the configuration's") {
  const Folder folder;
  for (const Row& row : kRows) {
    CAPTURE(row.module);
    config::Errors errors;
    const std::string file = folder.write("modules.yml", std::string("modules: {m: ") + row.module + "}\n");
    const probe::BlackboxModules modules = probe::BlackboxModules::load(file, errors);
    CHECK(modules.own_power("m") == row.power);
  }
  for (const std::string& name : probe::BlackboxModules().names())
    CHECK(probe::BlackboxModules().own_power(name) == "");
}

TEST_CASE("a label names such a module only where the template says so") {
  const Folder folder;
  const std::string file = folder.write(
      "modules.yml",
      "modules: {auth: {prober: http, http: {basic_auth: {username: a, password: b}}}, open: {prober: http}}\n");
  config::Errors errors;
  const probe::BlackboxModules modules = probe::BlackboxModules::load(file, errors);
  for (const std::vector<std::string>& allow : {std::vector<std::string>{}, {"module"}, {"__param_module"}}) {
    for (const char* yaml : {"{}", "{type: http}"}) {
      config::TargetTemplate own;
      own.probe = config::Node::parse(yaml, "f", errors);
      own.allow_labels = allow;
      own.place = config::Node::parse("{files: [t.json], allow_labels: []}", "f", errors);
      const probe::ProbeTemplate made("edge", {}, {}, own, "sd", errors);
      CHECK(errors.text() == "");
      CHECK(made.spec("", "a:1", {{"__param_module", "open"}}, modules));
      const auto spec = made.spec("", "a:1", {{"__param_module", "auth"}}, modules);
      CHECK(spec.has_value() == !allow.empty());
      if (!spec)
        CHECK(spec.error().text ==
              "target a:1: label __param_module: 'auth' names a module that sets basic_auth, which only the template "
              "may; add allow_labels: [module] beside probe, if those who write the targets may decide where that "
              "goes, or name another module");
    }
  }
}
