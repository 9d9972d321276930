// Hosts, URLs, methods and headers that no peer can have: mistakes of the configuration, whatever the type of the
// probe.
#include <doctest/doctest.h>

#include <string>

#include "config/agent_config.h"
#include "probe/spec.h"

namespace {

std::string mistakes(const std::string& probe) {
  config::Errors errors;
  config::Service service;
  service.probes.push_back(config::Node::parse(probe, "f", errors));
  (void)probe::parse_probes("s", service, config::Global{}, errors);
  return errors.text();
}

}  // namespace

TEST_CASE("what no peer can have is a mistake of the configuration, with its line") {
  struct Row {
    const char *probe, *want;
  };
  const char* const port = "must be between 1 and 65535";
  const char* const host = "host: has a port behind it; host and port are two keys";
  const char* const framing = "is written by the agent itself";
  for (const Row& row : {
           Row{"{type: http, url: 'http://127.0.0.1:99999/ok'}", port},
           Row{"{type: http, url: 'http://a/', proxy_url: 'http://:99999'}", "proxy_url: has a host"},
           Row{"{type: http, url: 'http://a/', oauth2: {client_id: a, token_url: 'http://a:70000'}}", port},
           Row{"{type: json, url: 'http://a:99999/'}", port},
           Row{"{type: prometheus, url: 'http://a:99999/', metrics: [a]}", port},
           Row{"{type: nginx, url: 'http://a:99999/'}", port},
           Row{"{type: json, url: 'http://a/', proxy_url: 'a:99999'}", port},
           Row{"{type: journey, base_url: 'http://a:99999', steps: [{name: a, request: {url: /}}]}", port},
           Row{"{type: journey, steps: [{name: a, request: {url: 'http://a:99999/'}}]}", port},
           Row{"{type: websocket, url: 'ws://a:99999/'}", port},
           Row{"{type: tcp, host: 'db:5432', port: 1}", host},
           Row{"{type: tcp, host: 'u:x@h', port: 1}", "host: is no name or address"},
           Row{"{type: udp, host: 'db:5432', port: 1, send: a}", host},
           Row{"{type: tls, host: 'db:5432', port: 1}", host},
           Row{"{type: icmp, host: 'db:5432'}", host},
           Row{"{type: connection, host: 'db:5432', port: 1}", host},
           Row{"{type: grpc, host: 'db:5432', port: 1}", host},
           Row{"{type: haproxy, host: 'db:5432', port: 1}", host},
           Row{"{type: redis, host: 'db:5432'}", host},
           Row{"{type: postgres, host: 'db:5432', username: a}", host},
           Row{"{type: smtp, host: 'db:5432'}", host},
           Row{"{type: dns, server: '10.0.0.1:53', query_name: a}", "server: has a port behind it"},
           Row{"{type: http, url: 'http://a/', method: 'GET /steal HTTP/1.0'}", "method: must be one word"},
           Row{"{type: journey, steps: [{name: a, request: {url: 'http://a/', method: 'A B'}}]}", "must be one word"},
           Row{"{type: http, url: 'http://a/', headers: {Content-Length: '5'}}", framing},
           Row{"{type: http, url: 'http://a/', headers: {Transfer-Encoding: [chunked]}}", framing},
           Row{"{type: http, url: 'http://a/', proxy_url: 'p:1', proxy_connect_header: {Connection: x}}", framing},
           Row{"{type: json, url: 'http://a/', headers: {content-length: '5'}}", framing},
           Row{"{type: prometheus, url: 'http://a/', metrics: [a], headers: {'A B': '5'}}", "has a name that is none"},
           Row{"{type: journey, headers: {Upgrade: x}, steps: [{name: a, request: {url: 'http://a/'}}]}", framing},
           Row{"{type: journey, steps: [{name: a, request: {url: 'http://a/', headers: {TE: x}}}]}", framing},
           Row{"{type: journey, steps: [{name: a, request: {url: 'http://a/', headers: {X: \"a\\nb\"}}}]}",
               "a line break"},
           Row{"{type: http, url: 'http://a/', authorization: {type: \"A\\r\\nB: c\", credentials: x}}",
               "a line break"},
           Row{"{type: json, url: 'http://a/', authorization: {credentials: \"a\\nb\"}}", "a line break"},
           Row{"{type: websocket, url: 'ws://a/', headers: {Connection: close}}", framing},
           Row{"{type: grpc, host: a, port: 1, metadata: {te: x}}", framing},
           Row{"{type: exec, command: [/bin/true], environment: {'A=B': c}}", "no variable has = in its name"},
       }) {
    CAPTURE(row.probe);
    const std::string found = mistakes(row.probe);
    CHECK_MESSAGE(found.find(row.want) != std::string::npos, found);
    CHECK_MESSAGE(found.find("f:1:") == 0, found);
  }
  for (const char* good : {
           "{type: http, url: 'http://u:p@a:65535/', method: PURGE, headers: {Host: a, X: [b, c]}, proxy_url: 'p:1'}",
           "{type: tcp, host: 'fe80::1%eth0', port: 1}",
           "{type: journey, variables: {v: a}, steps: [{name: a, request: {url: 'http://${v}:80/', headers: {X: "
           "'${v}'}}}]}",
           "{type: redis, unix_socket: /run/x}",
       })
    CHECK(mistakes(good) == "");
}
