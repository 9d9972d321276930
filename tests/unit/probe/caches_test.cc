// memcached and haproxy: their text protocols with a scripted peer, and the real servers where they are installed.
#include <doctest/doctest.h>

#include <fstream>

#include "fakes/probe_trial.h"
#include "fakes/real_server.h"
#include "fakes/tcp_peer.h"

namespace {

using namespace std::chrono_literals;
using model::Reason;

const std::string kStats =
    "STAT pid 1\r\nSTAT uptime 77\r\nSTAT max_connections 1024\r\nSTAT curr_connections 2\r\n"
    "STAT accepting_conns 1\r\nSTAT version 1.6.18\r\n";

std::string haproxy_page(const std::string& rows) {
  return "Name: HAProxy\nVersion: 2.6.12\nUptime_sec: 5\nMaxconn: 100\nCurrConns: 3\n\n"
         "# pxname,svname,qcur,qmax,scur,status,desc,\n" +
         rows + "\n";
}
const std::string kRows =
    "web,FRONTEND,,,4,OPEN,\"a, b\",\norder,a,0,0,1,UP,,\norder,b,2,0,1,DOWN,,\norder,BACKEND,2,0,1,UP,,\n"
    "stats,BACKEND,0,0,0,DOWN,,\n";

}  // namespace

TEST_CASE("memcached says its version and statistics") {
  fakes::ConnectedTrial trial("memcached", "cache:11211");
  trial.connect();
  CHECK(trial.peer.written == std::vector<std::string>{"version\r\nstats\r\n"});
  for (const char c : "VERSION 1.6.18\r\n" + kStats + "END\r\n") {
    CHECK(trial.answers == 0);
    trial.peer.say(std::string(1, c));
  }
  CHECK(trial.found.text == "cache:11211 is memcached 1.6.18");
  CHECK(trial.found.up);
  CHECK(trial.peer.written.back() == "quit\r\n");
  CHECK(trial.measured("probe_memcached_uptime_seconds") == 77);
  CHECK(trial.measured("probe_memcached_connections_limit") == 1024);
}

TEST_CASE("memcached is judged by what it says") {
  struct Row {
    const char* name;
    std::vector<std::string> settings;
    std::string answer;
    Reason reason;
    const char* text;
  };
  const std::string in = "VERSION 1\r\n";
  for (const Row& row : {
           Row{"takes no more",
               {},
               in + "STAT curr_connections 9\r\nSTAT accepting_conns 0\r\nEND\r\n",
               Reason::queue_saturated,
               "takes no more connections; 9 of 0 connections are taken"},
           Row{"nearly full",
               {"max_connections_fill=0.5"},
               in + "STAT curr_connections 6\r\nSTAT max_connections 10\r\nEND\r\n",
               Reason::queue_saturated,
               "is nearly full: 6 of 10 connections are taken"},
           Row{"more connections than there are numbers",
               {},
               in + "STAT curr_connections 18446744073709551615\r\nSTAT max_connections 10\r\nEND\r\n",
               Reason::queue_saturated,
               "is nearly full: 9007199254740992 of 10 connections are taken"},
           Row{"wants a login",
               {},
               "CLIENT_ERROR unauthenticated\r\n",
               Reason::auth_failed,
               "wants a login, which this probe does not speak"},
           Row{"statistics first",
               {},
               "STAT a 1\r\n",
               Reason::protocol_error,
               "does not speak memcached's text protocol; it sent 'STAT a 1'"},
           Row{"another protocol",
               {},
               "HTTP/1.1 400 Bad Request\r\n",
               Reason::protocol_error,
               "does not speak memcached's text protocol; it sent 'HTTP/1.1 400 Bad Request'"},
           Row{"endless",
               {},
               std::string(2000, 'x'),
               Reason::protocol_error,
               "does not speak memcached's text protocol"},
           Row{"a line that is too long, with its end",
               {},
               in + "STAT " + std::string(1020, 'x') + "\r\nEND\r\n",
               Reason::protocol_error,
               "does not speak memcached's text protocol"},
           Row{"the longest line there is, and words after the last",
               {},
               in + "STAT " + std::string(1019, 'x') + "\r\nEND\r\nHTTP/1.1 400\r\n",
               Reason::none,
               "is memcached 1"},
       }) {
    CAPTURE(row.name);
    fakes::ConnectedTrial trial("memcached", "cache:11211", row.settings);
    trial.connect();
    trial.peer.say(row.answer);
    CHECK(trial.found.reason == row.reason);
    CHECK(trial.found.text == "cache:11211 " + std::string(row.text));
  }
}

TEST_CASE("haproxy says what it thinks of its servers, however its answer is cut") {
  for (const std::size_t step : {1u, 7u, 4096u}) {
    fakes::ConnectedTrial trial("haproxy", "/run/h.sock", {"backends=[order]"});
    trial.connect();
    CHECK(trial.peer.written == std::vector<std::string>{"show info;show stat\n"});
    const std::string page = haproxy_page(kRows);
    for (std::size_t at = 0; at < page.size(); at += step) trial.peer.say(page.substr(at, step));
    CHECK(trial.answers == 0);
    trial.peer.close();
    CHECK(trial.found.text == "/run/h.sock is HAProxy 2.6.12 with 2 backends");
    CHECK(trial.measured("probe_haproxy_server_up", "server", "a") == 1);
    CHECK(trial.measured("probe_haproxy_server_up", "server", "b") == 0);
    CHECK(trial.measured("probe_haproxy_server_queue", "server", "b") == 2);
    CHECK(trial.measured("probe_haproxy_backend_up", "backend", "stats") == 0);
    CHECK(trial.measured("probe_haproxy_frontend_open", "frontend", "web") == 1);
    CHECK(trial.measured("probe_haproxy_connections_limit") == 100);
  }
}

TEST_CASE("haproxy is judged by what it says") {
  struct Row {
    const char* name;
    std::vector<std::string> settings;
    std::string answer;
    Reason reason;
    const char* text;
  };
  for (const Row& row : {
           Row{"a backend is down",
               {},
               haproxy_page(kRows),
               Reason::status_mismatch,
               "/run/h.sock says that backend stats is DOWN, with 0 of its 0 servers up"},
           Row{"too few servers",
               {"backends=[order]", "min_servers=2"},
               haproxy_page(kRows),
               Reason::status_mismatch,
               "/run/h.sock says that backend order has 1 of its 2 servers up; min_servers is 2"},
           Row{"no such backend",
               {"backends=[orders]"},
               haproxy_page(kRows),
               Reason::status_mismatch,
               "/run/h.sock has no backend orders"},
           Row{"no rights", {}, "Permission denied\n", Reason::auth_failed, "/run/h.sock answered: Permission denied"},
           Row{"another protocol",
               {},
               "HTTP/1.1 400 Bad Request\n",
               Reason::protocol_error,
               "/run/h.sock does not speak as HAProxy's stats socket does; it sent 'HTTP/1.1 400 Bad Request'"},
           Row{"cut off",
               {},
               "Name: HAProxy\n",
               Reason::closed_early,
               "the test closed the connection before it had answered"},
       }) {
    CAPTURE(row.name);
    fakes::ConnectedTrial trial("haproxy", "/run/h.sock", row.settings);
    trial.connect();
    trial.peer.say(row.answer);
    trial.peer.close();
    CHECK(trial.found.reason == row.reason);
    CHECK(trial.found.text == row.text);
  }
}

TEST_CASE("memcached understands the real server") {
  const std::string program = fakes::find_program("memcached");
  if (program.empty()) {
    MESSAGE("skipped: memcached is not installed (apt-get install memcached)");
    return;
  }
  const fakes::TemporaryFolder folder;
  fakes::give_to(folder.path(), "nobody");
  const std::string socket = folder.path() + "/cache.sock";
  fakes::RealServer server([&](fakes::RealServer& s) {
    s.run({program, "-s", socket, "-c", "50", "-m", "16"}, folder.path() + "/log", "nobody");
  });
  fakes::RealProbes probes;
  const auto up = server.until_up([&] { return probes.run("memcached", socket, {}); });
  CHECK(up.text.starts_with(socket + " is memcached 1."));
  CHECK(fakes::measurement(up, "probe_memcached_connections_limit") == 50);
  CHECK(probes.run("memcached", socket, {"max_connections_fill=0.01"}).reason == Reason::queue_saturated);
}

TEST_CASE("haproxy understands the real server") {
  const std::string program = fakes::find_program("haproxy");
  if (program.empty()) {
    MESSAGE("skipped: haproxy is not installed (apt-get install haproxy)");
    return;
  }
  const fakes::TemporaryFolder folder;
  const std::string socket = folder.path() + "/h.sock";
  fakes::TcpPeer peer([](fakes::PeerSocket& s) { s.wait_for_close(); });
  fakes::RealServer server([&](fakes::RealServer& s) {
    std::ofstream(folder.path() + "/haproxy.cfg")
        << "global\n  stats socket " << socket << " level user\ndefaults\n  mode tcp\n  timeout connect 1s\n"
        << "  timeout client 1s\n  timeout server 1s\nfrontend web\n  bind 127.0.0.1:" << fakes::TcpPeer::dead_port()
        << "\n  default_backend order\nbackend order\n  server a " << peer.address()
        << " check inter 200ms rise 1 fall 1\n  server b 127.0.0.1:" << fakes::TcpPeer::dead_port()
        << " check inter 200ms rise 1 fall 1\n";
    s.run({program, "-db", "-f", folder.path() + "/haproxy.cfg"}, folder.path() + "/log");
  });
  fakes::RealProbes probes;
  const auto up = server.until_up([&] { return probes.run("haproxy", socket, {"backends=[order]"}); });
  CHECK(up.text.starts_with(socket + " is HAProxy "));
  CHECK(up.up);
  // Its check of the dead server takes a moment.
  model::Outcome found = up;
  const auto patience = probes.loop.now() + 60s;
  while (fakes::measurement(found, "probe_haproxy_server_up", "server", "b") != 0 && probes.loop.now() < patience)
    found = probes.run("haproxy", socket, {"min_servers=2"});
  CHECK(found.text == socket + " says that backend order has 1 of its 2 servers up; min_servers is 2");
}
