// Bugs that other probers have had, each as a test that fails with it. Those of one protocol alone stand with it: an
// unsupported login that counts as success in postgres_test, a call without a deadline in grpc_test.
#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "encoding/gzip.h"
#include "fakes/certificates.h"
#include "fakes/local_server.h"
#include "fakes/probe_kernel.h"
#include "fakes/udp_peer.h"
#include "net/tls/tls.h"

namespace {

using namespace std::chrono_literals;
using model::Reason;

fakes::Certificate expired() {
  return fakes::make_certificate({.common_name = "shop",
                                  .alternative = "IP:127.0.0.1",
                                  .from_seconds = -100 * 86'400,
                                  .until_seconds = -86'400,
                                  .authority = true});
}

// Connections in state TIME_WAIT (06) with this port at either end.
int time_waits(std::uint16_t port) {
  std::ifstream table("/proc/net/tcp");
  std::string line;
  int count = 0;
  std::getline(table, line);
  while (std::getline(table, line)) {
    std::istringstream words(line);
    std::string slot, local, remote, state;
    words >> slot >> local >> remote >> state;
    const auto has = [&](const std::string& end) {
      return std::stoul(end.substr(end.find(':') + 1), nullptr, 16) == port;
    };
    if (state == "06" && (has(local) || has(remote))) ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("blackbox exporter: a gRPC server that never answers does not outlive the timeout") {
  const fakes::SilentServer hole;
  fakes::ProbeKernel kernel;
  const auto found = kernel.run("grpc", "127.0.0.1:" + std::to_string(hole.port()), {}, 100ms);
  CHECK_FALSE(found.up);
  CHECK(found.reason == Reason::read_timeout);
  CHECK(found.took < 5s);
}

TEST_CASE("consul: a UDP port that is silent is not healthy") {
  const fakes::UdpPeer silent([](const std::string&) { return std::string(); });
  fakes::ProbeKernel kernel;
  CHECK_FALSE(kernel.run("udp", silent.address(), {"send=x"}, 50ms).up);
}

TEST_CASE("gatus: a body without end is cut off at its limit") {
  const fakes::TcpPeer endless([](fakes::PeerSocket& socket) {
    socket.read_request();
    socket.send("HTTP/1.1 200 OK\r\n\r\n");
    const std::string piece(16 * 1024, 'x');
    for (int i = 0; i < 1000; ++i) socket.send(piece);
  });
  fakes::ProbeKernel kernel;
  const auto found = kernel.run("http", endless.url(), {"body_limit=100000"});
  CHECK(found.reason == Reason::too_large);
  CHECK(fakes::measured(found, "probe_http_uncompressed_body_length") <= 100'000);
}

TEST_CASE("blackbox exporter #1119: an expired certificate tells its expiry although it is refused") {
  const fakes::TlsServer tls(expired());
  const fakes::TcpPeer server([&](fakes::PeerSocket& socket) {
    const auto ssl = tls.accept(socket);
    socket.wait_for_close();
  });
  // Behind a redirect, too: what counts is where it leads.
  const fakes::TcpPeer redirect([&](fakes::PeerSocket& socket) {
    socket.read_request();
    socket.send("HTTP/1.1 302 Found\r\nLocation: https://" + server.address() + "/\r\nContent-Length: 0\r\n\r\n");
    socket.wait_for_close();
  });
  fakes::ProbeKernel kernel;
  const double now = base::seconds(kernel.loop.wall_now());
  for (const auto& row : std::vector<std::pair<std::string, std::string>>{
           {"tls", server.address()},
           {"tcp", server.address()},
           {"http", "https://" + server.address() + "/"},
           {"http", redirect.url()},
           {"grpc", server.address()},
           {"websocket", "wss://" + server.address() + "/"},
       }) {
    const auto& [type, target] = row;
    CAPTURE(row.first);
    CAPTURE(row.second);
    std::vector<std::string> settings;
    if (type == "tcp" || type == "grpc") settings = {"tls=true"};
    const auto found = kernel.run(type, target, settings);
    CAPTURE(found.text);
    CHECK_FALSE(found.up);
    CHECK((found.reason == Reason::tls_verify || found.reason == Reason::tls_expired));
    const double expiry = fakes::measured(found, "probe_ssl_earliest_cert_expiry").value_or(0);
    CHECK(expiry > now - 2 * 86'400);
    CHECK(expiry < now);
    // #653: no chain was verified, so none expires.
    CHECK_FALSE(fakes::measured(found, "probe_ssl_last_chain_expiry_timestamp_seconds"));
  }
}

TEST_CASE("kubelet: a hundred runs leave no connection in TIME_WAIT, whoever closes first") {
  fakes::ProbeKernel kernel;
  const std::string body = encoding::gzip("ok");
  const std::string answer =
      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  const fakes::TcpPeer waits([&](fakes::PeerSocket& socket) {
    socket.read_request();
    socket.send(answer);
    socket.wait_for_close();
  });
  const auto run = [&](const std::string& type, const std::string& target, const std::vector<std::string>& settings) {
    CAPTURE(type);
    for (int i = 0; i < 25; ++i) {
      const auto found = kernel.run(type, target, settings);
      CAPTURE(found.text);
      CHECK(found.up);
    }
  };
  run("http", waits.url(), {});                    // over our own stream
  run("http", waits.url(), {"compression=gzip"});  // over the library
  run("tcp", waits.address(), {});                 // no word said
  run("tcp", waits.address(), {"query_response=[{send: \"GET / HTTP/1.1\\r\\n\\r\"}, {expect: ^HTTP}]"});
  CHECK(time_waits(waits.port()) == 0);
}
