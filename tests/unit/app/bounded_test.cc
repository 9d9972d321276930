// Real runs against real servers, within a boundary: what a name stands for and where a redirect leads.
#include "probe/bounded.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "app/allowed_targets.h"
#include "fakes/local_server.h"
#include "fakes/probe_world.h"
#include "fakes/run_until.h"
#include "fakes/tcp_peer.h"
#include "http/http_client.h"
#include "loop/blocking_pool.h"
#include "net/stream.h"
#include "probe/run_once.h"

namespace {

using namespace std::chrono_literals;
using model::Reason;

// A node whose names are those of a file.
struct Node {
  std::filesystem::path folder;
  fakes::ProbeWorld fakes;
  loop::EventLoop loop{loop::EpollChanges::at_once};  // the servers have threads
  net::AresResolver resolver;
  http::CurlHttpClient http{loop, resolver};
  net::StreamDialer dialer{loop, resolver};
  loop::ThreadedBlockingPool blocking_pool{loop};
  probe::Context context{loop,       http,          dialer,           resolver,     fakes.spawner,
                         fakes.pids, fakes.systemd, fakes.heartbeats, blocking_pool};
  app::AllowedTargets targets;

  explicit Node(const std::string& hosts) : folder(made(hosts)), resolver(loop, {.hosts_file = folder / "hosts"}) {}
  ~Node() { std::filesystem::remove_all(folder); }

  model::Outcome run(const std::string& type, const std::string& target,
                     const std::vector<std::string>& settings = {}) {
    auto boundary = targets.boundary(target, "");
    if (!boundary) FAIL(boundary.error().text);
    auto spec = probe::spec_from_arguments(type, target, settings);
    if (!spec) FAIL(spec.error().text);
    spec->timeout = 20s;
    const probe::Bounded bounded(context, *std::move(boundary));
    std::optional<model::Outcome> found;
    const auto attempt =
        probe::run_once(bounded.context(), *spec, [&](model::Outcome outcome) { found = std::move(outcome); });
    REQUIRE(fakes::run_until(
        loop, [&] { return found.has_value(); }, 60s));
    return *found;
  }

 private:
  static std::filesystem::path made(const std::string& hosts) {
    char folder[] = "/tmp/fettle-bounded-XXXXXX";
    if (::mkdtemp(folder) == nullptr) std::abort();
    std::ofstream(std::filesystem::path(folder) / "hosts") << hosts;
    return folder;
  }
};

std::string ok() { return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"; }
std::string to(const std::string& url) {
  return "HTTP/1.1 302 Found\r\nLocation: " + url + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
}
std::string at(const std::string& host, int port) { return host + ":" + std::to_string(port); }

}  // namespace

TEST_CASE("a name that leads to this node is not connected to, by any type") {
  fakes::LocalServer server(ok());
  Node node("127.0.0.1 a.shop.example\n127.0.0.2 b.shop.example\n127.0.0.1 c.shop.example\n::1 c.shop.example\n");
  node.targets.replace_patterns({"*.shop.example:*", "http://*.shop.example*", "ws://*.shop.example*", "*.shop.example",
                                 "127.0.0.2:" + std::to_string(server.port())});
  const std::string port = std::to_string(server.port());
  struct Row {
    std::string type, target;
    std::vector<std::string> settings = {};
  };
  for (const Row& row : std::initializer_list<Row>{
           {"http", "http://a.shop.example:" + port + "/"},
           {"http", "http://a.shop.example:" + port + "/", {"compression=gzip"}},  // by the library
           {"http", "http://A.Shop.Example:" + port + "/", {"compression=gzip"}},
           {"http", "http://c.shop.example:" + port + "/", {"ip_protocol=ip4"}},
           {"tcp", "a.shop.example:" + port},
           {"tls", "a.shop.example:" + port},
           {"udp", "a.shop.example:" + port, {"send=x"}},
           {"icmp", "a.shop.example"},
           {"dns", "a.shop.example:" + port, {"query_name=x.example"}},
           {"grpc", "a.shop.example:" + port},
           {"websocket", "ws://a.shop.example:" + port + "/"},
           {"smtp", "a.shop.example:" + port},
       }) {
    CAPTURE(row.type);
    CAPTURE(row.target);
    const model::Outcome outcome = node.run(row.type, row.target, row.settings);
    CHECK_FALSE(outcome.up);
    CHECK(outcome.reason == Reason::unreachable);
    CHECK_MESSAGE(outcome.text.find("a loopback address: a name does not lead there") != std::string::npos,
                  outcome.text);
  }
}

TEST_CASE("an address that is allowed itself may have a name") {
  fakes::LocalServer server(ok());
  Node node("127.0.0.1 a.shop.example\n");
  node.targets.replace_patterns({"http://*.shop.example*", at("127.0.0.1", server.port())});
  CHECK(node.run("http", "http://" + at("a.shop.example", server.port()) + "/").up);
  // What a probe of the configuration looks at, too.
  Node other("127.0.0.1 order.test\n");
  other.targets.replace_own({"http://" + at("order.test", server.port()) + "/healthz"});
  CHECK(other.run("http", "http://" + at("order.test", server.port()) + "/healthz").up);
  CHECK(other.run("tcp", at("order.test", server.port())).up);
}

TEST_CASE("a redirect that leaves the list is not followed, and nobody is asked there") {
  std::atomic<int> hits{0};
  fakes::TcpPeer inner([&](fakes::PeerSocket& socket) {
    ++hits;
    socket.read_request();
    socket.send(ok());
  });
  Node node("127.0.0.1 inner.example\n127.0.0.1 a.shop.example\n");
  for (const bool by_library : {false, true}) {
    const std::vector<std::string> settings =
        by_library ? std::vector<std::string>{"compression=gzip"} : std::vector<std::string>{};
    for (const char* host : {"127.0.0.1", "inner.example", "a.shop.example", "2130706433", "0177.0.0.1",
                             "[::ffff:127.0.0.1]", "localhost", "u:p@127.0.0.1"}) {
      CAPTURE(host);
      fakes::LocalServer front(to("http://" + at(host, inner.port()) + "/secret"));
      node.targets.replace_patterns({"http://" + at("127.0.0.1", front.port()) + "*", "http://*.shop.example*"});
      const model::Outcome outcome = node.run("http", "http://" + at("127.0.0.1", front.port()) + "/", settings);
      CHECK_FALSE(outcome.up);
      CHECK(outcome.reason == Reason::unreachable);
      CAPTURE(outcome.text);
      CHECK(
          (outcome.text.find("allow") != std::string::npos || outcome.text.find("not followed") != std::string::npos));
    }
  }
  CHECK(hits == 0);

  fakes::LocalServer front(to("http://" + at("127.0.0.1", inner.port()) + "/"));
  node.targets.replace_patterns({at("127.0.0.1", front.port()), at("127.0.0.1", inner.port())});
  CHECK(node.run("http", "http://" + at("127.0.0.1", front.port()) + "/").up);
  CHECK(hits == 1);
}
