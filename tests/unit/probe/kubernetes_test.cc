// Probes of the configuration in Kubernetes' words, and which of ours they are.
#include "probe/kubernetes.h"

#include <doctest/doctest.h>

#include <map>
#include <string>

#include "config/agent_config.h"
#include "config/flow_text.h"
#include "config/redact.h"
#include "probe/spec.h"

namespace {

using namespace std::chrono_literals;

struct Parsed {
  std::vector<probe::Spec> specs;
  std::string mistakes, shown;
};

Parsed parsed(const std::string& text) {
  config::Errors errors;
  config::Service service;
  const config::Node probe = config::Node::parse(text, "f", errors);
  service.probes.push_back(probe);
  Parsed out{probe::parse_probes("s", service, config::Global{}, errors), errors.text(), ""};
  out.shown = config::shown_config(probe);
  return out;
}

}  // namespace

TEST_CASE("a probe in Kubernetes' words is the same as one of ours") {
  struct Row {
    const char *theirs, *ours;
  };
  for (const Row& row : {
           Row{"{httpGet: {port: 8081}}",
               "{type: http, url: 'http://127.0.0.1:8081/', valid_status_codes: [2xx, 3xx]}"},
           Row{"{httpGet: {path: 'ready?full=1', port: 8443, scheme: HTTPS, host: shop.test, httpHeaders: "
               "[{name: X-A, value: '1'}, {name: X-A, value: '2'}]}}",
               "{type: http, url: 'https://shop.test:8443/ready?full=1', valid_status_codes: [2xx, 3xx], tls_config: "
               "{insecure_skip_verify: true}, headers: {X-A: '1, 2'}}"},
           Row{"{tcpSocket: {port: 6379}}", "{type: tcp, host: '127.0.0.1', port: 6379}"},
           Row{"{tcpSocket: {port: 6379, host: 'fd00::1'}}", "{type: tcp, host: 'fd00::1', port: 6379}"},
           Row{"{grpc: {port: 9090}}", "{type: grpc, host: '127.0.0.1', port: 9090}"},
           Row{"{grpc: {port: 9090, service: shop.Order}}",
               "{type: grpc, service: shop.Order, host: '127.0.0.1', port: 9090}"},
           Row{"{exec: {command: [/bin/test, -e, 'a b']}}", "{type: exec, command: [/bin/test, '-e', 'a b']}"},
       }) {
    CAPTURE(row.theirs);
    const Parsed theirs = parsed(row.theirs), ours = parsed(row.ours);
    REQUIRE(theirs.mistakes == "");
    REQUIRE(theirs.specs.size() == 1);
    const auto sorted = [](const std::string& yaml) {
      config::Errors errors;
      std::map<std::string, std::string> keys;
      for (const auto& [key, value] : config::Node::parse("{" + yaml + "}", "f", errors).entries())
        keys[key.scalar()] = config::flow_text(value);
      std::string out;
      for (const auto& [key, value] : keys) out += key + ": " + value + "\n";
      return out;
    };
    CHECK(sorted(theirs.specs[0].settings_text) == sorted(ours.specs[0].settings_text));
    CHECK(theirs.specs[0].type == ours.specs[0].type);
    CHECK(theirs.specs[0].name == ours.specs[0].type->name);
  }
}

TEST_CASE("periods and thresholds are Kubernetes' own") {
  const probe::Spec plain = std::move(parsed("{tcpSocket: {port: 1}}").specs.at(0));
  CHECK(plain.interval == 10s);
  CHECK(plain.fast_interval == 10s);
  CHECK(plain.timeout == 1s);
  CHECK(plain.failure_threshold == 3);
  CHECK(plain.success_threshold == 1);
  CHECK(plain.startup_grace == 0s);
  CHECK(plain.fatal_reasons.empty());
  const probe::Spec spec =
      std::move(parsed("{name: live, labels: {a: b}, tcpSocket: {port: 1}, initialDelaySeconds: 30, "
                       "periodSeconds: 5, timeoutSeconds: 9, failureThreshold: 7, successThreshold: 2}")
                    .specs.at(0));
  CHECK(spec.name == "live");
  CHECK(spec.labels.get("a") == "b");
  CHECK(spec.interval == 5s);
  CHECK(spec.timeout == 5s);
  CHECK(spec.failure_threshold == 7);
  CHECK(spec.success_threshold == 2);
  CHECK(spec.startup_grace == 30s);
}

TEST_CASE("mistakes in Kubernetes' words are named at their place") {
  struct Row {
    const char *probe, *want;
  };
  for (const Row& row : {
           Row{"httpGet: {port: web}",
               "f:1:17: services.s.probes[0].httpGet.port: 'web' is the name of a container's port"},
           Row{"httpGet: {path: /}", "httpGet: the required key 'port' is missing"},
           Row{"tcpSocket: {port: 70000}", "tcpSocket.port: must be from 1 to 65535"},
           Row{"grpc: {}", "grpc: the required key 'port' is missing"},
           Row{"httpGet: {port: 1, scheme: FTP}", "httpGet.scheme: must be HTTP or HTTPS"},
           Row{"httpGet: {port: 1, paht: /}", "did you mean 'path'?"},
           Row{"{httpGet: {port: 1}, tcpSocket: {port: 1}}",
               "tcpSocket: cannot stand beside httpGet: a probe asks in one way"},
           Row{"{httpGet: {port: 1}, interval: 5s}", "probes[0].interval"},
           Row{"{httpGet: {port: 1}, type: http}", "probes[0].type"},
           Row{"{httpGet: {port: 1}, periodSeconds: 0}", "periodSeconds: must be from 1 to 86400"},
           Row{"{httpGet: {port: 1}, periodSeconds: 5s}", "periodSeconds"},
           Row{"{httpGet: {port: 1}, initialDelaySeconds: -1}", "initialDelaySeconds: must be from 0 to 86400"},
           Row{"{httpGet: {port: 1}, terminationGracePeriodSeconds: 30}", "set TimeoutStopSec= in the unit"},
           Row{"exec: {command: []}", "exec.command: must name a program"},
           Row{"httpGet:\n  port: 1\n  path: /a b",
               "f:3:9: services.s.probes[0].httpGet.path: must not contain white space"},
           Row{"{name: a, periodSeconds: 5}",
               "type: required, or one of Kubernetes' httpGet, tcpSocket, grpc and exec"},
           Row{"livenessProbe: {httpGet: {port: 1}}", "such as {name: ready, httpGet: {port: 8080}, periodSeconds: 5}"},
           Row{"exec: {}", "exec: the required key 'command' is missing"},
           Row{"httpGet: web", "expected a mapping"},
           Row{"\n\nhttpGet: {port: 1, host: 'a b'}", "f:3:"},
           Row{"httpGet: {port: 1, httpHeaders: {a: b}}", "httpHeaders: expected a list"},
           Row{"httpGet: {port: 1, httpHeaders: [{name: Content-Length, value: '1'}]}",
               "is written by the agent itself"},
       }) {
    CAPTURE(row.probe);
    const Parsed got = parsed(row.probe);
    CAPTURE(got.mistakes);
    CHECK(got.mistakes.find(row.want) != std::string::npos);
  }
}

TEST_CASE("the values of httpHeaders are secrets, the rest is shown") {
  const Parsed got =
      parsed("httpGet: {port: 8081, path: /ready, httpHeaders: [{name: Authorization, value: Bearer open}]}");
  CHECK(got.mistakes == "");
  CAPTURE(got.shown);
  CHECK(got.shown.find("open") == std::string::npos);
  CHECK(got.shown.find("Authorization") != std::string::npos);
  CHECK(got.shown.find("8081") != std::string::npos);
  CHECK(got.shown.find("/ready") != std::string::npos);
}
