// What every type has in common, and how a probe is read from a file and from a command line.
#include <doctest/doctest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/agent_config.h"
#include "fakes/probe_world.h"
#include "probe/common/probe_schema.h"
#include "probe/measurement_help.h"
#include "probe/registry.h"
#include "probe/spec.h"

namespace {

using namespace std::chrono_literals;

std::vector<probe::Spec> parse(const std::string& probes, config::Errors& errors) {
  config::Service service;
  service.unit = "order.service";
  const config::Node root = config::Node::parse("probes:\n" + probes, "fettle.yml", errors);
  service.probes = root.find("probes").items();
  config::Global global;
  return probe::parse_probes("order", service, global, errors);
}

std::string mistakes_of(const std::string& probes) {
  config::Errors errors;
  parse(probes, errors);
  std::string text;
  for (const std::string& line : errors.lines()) text += line + "\n";
  return text;
}

}  // namespace

TEST_CASE("the common keys are read, with the defaults of global") {
  config::Errors errors;
  const auto specs = parse(R"(
  - {type: tcp, host: localhost, port: 80}
  - {name: fast, type: tcp, host: localhost, port: 80, interval: 1s}
  - name: all
    type: tcp
    host: localhost
    port: 80
    interval: 10s
    timeout: 3s
    fast_interval: 1s
    failure_threshold: 5
    success_threshold: 2
    fatal_reasons: [refused, dns_error]
    labels: {tier: gold}
)",
                           errors);
  REQUIRE(errors.text() == "");
  REQUIRE(specs.size() == 3);
  CHECK(specs[0].name == "tcp");
  CHECK(specs[0].service == "order");
  CHECK(specs[0].interval == 5s);
  CHECK(specs[0].timeout == 2s);
  CHECK(specs[0].failure_threshold == 3);
  CHECK(specs[0].fatal_reasons.contains(model::Reason::process_gone));
  CHECK(specs[1].timeout == 1s);  // the global timeout would be longer than the interval
  CHECK(specs[2].timeout == 3s);
  CHECK(specs[2].fast_interval == 1s);
  CHECK(specs[2].failure_threshold == 5);
  CHECK(specs[2].success_threshold == 2);
  CHECK(specs[2].fatal_reasons == std::set{model::Reason::refused, model::Reason::dns_error});
  CHECK(specs[2].labels.get("tier") == "gold");
  CHECK(specs[2].settings->target() == "localhost:80");
}

TEST_CASE("a reload sees what is the same however it is laid out") {
  config::Errors errors;
  const auto specs = parse(R"(
  - {name: a, type: tcp, host: localhost, port: 80}
  - name: b          # the same, but for the common keys
    type: tcp
    interval: 1s
    host: localhost
    port: 80
  - {name: c, type: tcp, host: localhost, port: 81}
  - {name: d, type: tcp, host: localhost, port: 80, query_response: [{expect: "80"}]}
  - {name: e, type: tcp, host: localhost, port: 80, query_response: [{expect: "81"}]}
)",
                           errors);
  REQUIRE(errors.text() == "");
  CHECK(specs[0].settings_text == specs[1].settings_text);
  std::set<std::string> texts;
  for (const auto& spec : specs) texts.insert(spec.settings_text);
  CHECK(texts.size() == 4);
}

TEST_CASE("mistakes are named with their place, all at once") {
  struct Row {
    const char* probes;
    const char* want;
  };
  for (const Row& row : {
           Row{"  - {type: htpp, url: 'http://x'}\n",
               "fettle.yml:2:12: services.order.probes[0].type: there is no probe type 'htpp'; did you mean 'http'?\n"},
           Row{"  - {type: tcp, host: a, port: 1, timeout: 9s}\n",
               "fettle.yml:2:44: services.order.probes[0].timeout: is 9s, longer than the interval of 5s; a run must "
               "end "
               "before the next one starts\n"},
           Row{"  - {type: tcp, host: a, port: 1}\n  - {type: tcp, host: a, port: 2}\n",
               "fettle.yml:3:5: services.order.probes[1].name: the service has a probe 'tcp' already; give this one a "
               "name of its own\n"},
           Row{"  - {type: tcp, host: a, port: 1, fatal_reasons: [refusd]}\n",
               "fettle.yml:2:51: services.order.probes[0].fatal_reasons: there is no reason 'refusd'; did you mean "
               "'refused'?\n"},
           Row{"  - {type: tcp, host: a, port: 70000, failure_threshold: 0}\n",
               "fettle.yml:2:32: services.order.probes[0].port: must be between 1 and 65535\n"
               "fettle.yml:2:58: services.order.probes[0].failure_threshold: must be at least 1\n"},
           Row{"  - {type: http, url: 'ftp://x'}\n",
               "fettle.yml:2:23: services.order.probes[0].url: must be http:// or https:// and a host, such as "
               "http://127.0.0.1:8081/healthz\n"},
           Row{"  - {type: http, url: 'http://x', json: [{path: 'a..b', equals: 1}]}\n",
               "fettle.yml:2:49: services.order.probes[0].json[0].path: is no path; write keys and indexes as in "
               "nodes[0].name\n"},
           Row{"  - {type: process, pidfile: /a, unit: b.service}\n",
               "fettle.yml:2:5: services.order.probes[0]: give one of pidfile, unit and process_name\n"},
           Row{"  - {type: heartbeat}\n", "every"},
           Row{"  - {type: tcp, host: a, port: 1, intervall: 1s}\n", "interval"},
           Row{"  - {type: tcp, host: a, port: 1, query_response: [{expect: '('}]}\n", "expect"},
           Row{"  - {type: tcp, host: a, port: 1, tls_config: {cert_file: /x}}\n", "needs both cert_file and key_file"},
           Row{"  - {type: http, url: 'http://x', valid_status_codes: [2xx, 1000]}\n",
               "expected a status such as 200, 200-204 or 2xx, got '1000'"},
           Row{"  - {type: redis, role: slave}\n",
               "fettle.yml:2:25: services.order.probes[0].role: must be any, master or replica\n"},
           Row{"  - {type: tls, host: a, starttls: smpt}\n",
               "must be smtp, imap, pop3, ftp, postgres, mysql or ldap, or empty"},
           Row{"  - {type: listener, port: 80, address: localhost}\n", "must be an address such as 127.0.0.1 or ::1"},
           Row{"  - {type: listener, port: 80, max_fill: 0}\n", "must be above 0 and at most 1"},
           Row{"  - {type: sockets, ports: []}\n", "must name one to 16 ports"},
           Row{"  - {type: sockets, ports: [80, 0]}\n", "0 is no port; they are between 1 and 65535"},
           Row{"  - {type: sockets, ports: [80, 80]}\n", "names a port twice"},
           Row{"  - {type: sockets, ports: [80], stalled_after: 10ms}\n", "must be at least 100ms, or 0s"},
           Row{"  - {type: sockets, ports: [80], max_stalled: -1}\n", "must not be negative"},
           Row{"  - {type: sockets, ports: [80], max_fill: 2}\n", "must be above 0 and at most 1"},
           Row{"  - {type: dns, server: a, query_name: b..c}\n", "its parts have 1 to 63 characters"},
           Row{"  - {type: dns, server: a, query_name: b, query_type: ALL}\n",
               "must be a type of records such as A, AAAA"},
           Row{"  - {type: dns, server: a, query_name: b, valid_rcodes: [NXDOMIAN]}\n", "has 'NXDOMIAN'"},
           Row{"  - {type: postgres, username: a, role: replica}\n", "must be any, primary or standby"},
           Row{"  - {type: redis, username: fettle}\n", "needs password or password_file"},
           Row{"  - {type: redis, max_length: 5}\n", "needs lists or streams"},
           Row{"  - 5\n", "fettle.yml:2:5: services.order.probes[0]: expected a mapping"},
       }) {
    CAPTURE(std::string(row.probes));
    const std::string mistakes = mistakes_of(row.probes);
    CAPTURE(mistakes);
    if (std::string(row.want).find("fettle.yml") == 0 && std::string(row.want).back() == '\n')
      CHECK(mistakes == row.want);
    else CHECK(mistakes.find(row.want) != std::string::npos);
  }
}

TEST_CASE("a probe is read from a command line") {
  struct Row {
    const char* type;
    const char* target;
    std::vector<std::string> settings;
    const char* want;  // the probe's target
  };
  for (const Row& row : {
           Row{"http", "http://127.0.0.1:8081/healthz", {}, "http://127.0.0.1:8081/healthz"},
           Row{"http",
               "http://x/",
               {"valid_status_codes=[200, 404]", "tls_config.insecure_skip_verify=true"},
               "http://x/"},
           Row{"tcp", "127.0.0.1:6379", {"timeout=1s"}, "127.0.0.1:6379"},
           Row{"tcp", "[::1]:6379", {}, "[::1]:6379"},
           Row{"tcp", "", {"host=localhost", "port=1"}, "localhost:1"},
           Row{"unix", "/run/x y.sock", {}, "/run/x y.sock"},
           Row{"exec", "/bin/it's here", {}, "/bin/it's here"},
           Row{"exec", "[/bin/test, -f, /x]", {"ok_codes=[0, 1]"}, "/bin/test -f /x"},
           Row{"process", "/run/order.pid", {}, "process of /run/order.pid"},
           Row{"process", "order.service", {}, "main process of order.service"},
           Row{"process", "nginx", {}, "process nginx"},
           Row{"systemd", "order.service", {}, "unit order.service"},
           Row{"heartbeat", "order", {"every=1s"}, "heartbeats of order"},
           Row{"redis", "127.0.0.1", {}, "127.0.0.1:6379"},
           Row{"redis", "[::1]:6380", {}, "[::1]:6380"},
           Row{"tls", "shop.example", {}, "shop.example:443"},
           Row{"listener", "8081", {}, "port 8081"},
           Row{"listener", "[::1]:8081", {}, "[::1]:8081"},
           Row{"listener", "53", {"transport_protocol=udp"}, "UDP port 53"},
           Row{"listener", "[::1]:53", {"transport_protocol=udp"}, "UDP [::1]:53"},
           Row{"sockets", "8081", {}, "connections to 8081"},
           Row{"dns", "127.0.0.53", {"query_name=a.test"}, "A of a.test at 127.0.0.53:53"},
           Row{"postgres", "db", {"username=a"}, "db:5432"},
           Row{"redis", "/run/redis.sock", {}, "/run/redis.sock"},
       }) {
    CAPTURE(row.type);
    CAPTURE(row.target);
    const auto spec = probe::spec_from_arguments(row.type, row.target, row.settings);
    if (!spec) FAIL(spec.error().text);
    CHECK(spec->settings->target() == row.want);
    CHECK(spec->name == row.type);
  }
  CHECK(probe::spec_from_arguments("tcp", "127.0.0.1:6379", {"timeout=1s"})->timeout == 1s);
}

TEST_CASE("a target with an equals sign is no setting") {
  for (const char* word : {"url=http://h/", "timeout=1s", "tls_config.server_name=redis", "a_1="})
    CHECK_MESSAGE(probe::is_setting(word), word);
  for (const char* word : {"http://127.0.0.1:1/ok?a=b", "h:1/?a=b", "/run/a=b", "=b", "shop.test", "", "h?a=b"})
    CHECK_MESSAGE(!probe::is_setting(word), word);
}

TEST_CASE("what is wrong on a command line is said") {
  const std::string known = probe::types().list();
  CHECK(known.find("http, tcp, unix") == 0);
  CHECK(probe::spec_from_arguments("htp", "x", {}).error().text == "there is no probe type 'htp'; known are " + known);
  CHECK(probe::spec_from_arguments("tcp", "a:1", {"timeout"}).error().text ==
        "'timeout' is no setting; write key=value, such as timeout=500ms");
  CHECK(probe::spec_from_arguments("tcp", "a:1", {"prot=2"}).error().text.find("port") != std::string::npos);
  CHECK(probe::spec_from_arguments("tcp", "a", {}).error().text.find("port") != std::string::npos);
}

TEST_CASE("every type documents the common keys and its own") {
  for (const probe::Type* type : probe::types()) {
    CAPTURE(type->name);
    std::set<std::string> keys;
    for (const config::KeyReference& key : type->reference()) {
      CAPTURE(key.key);
      CHECK(key.help.size() > 10);
      CHECK(keys.insert(key.key).second);
    }
    const auto& common = probe::common_schema().reference();
    for (const config::KeyReference& key : common) CHECK(keys.contains(key.key));
    CHECK(keys.size() > common.size());
    CHECK_FALSE(type->summary.empty());
  }
}

TEST_CASE("every measurement says what it is") {
  for (const probe::Type* type : probe::types()) {
    std::vector<std::string_view> names = type->measurements;
    if (type->other_measurements)
      names.insert(names.end(), type->other_measurements->begin(), type->other_measurements->end());
    for (const std::string_view name : names) {
      CAPTURE(name);
      CHECK(probe::help_of(name) != "");
    }
  }
  CHECK(probe::help_of("probe_of_nobody") == "");
}
