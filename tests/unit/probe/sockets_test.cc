// sockets: the classification as a table of raw counts, the verdict on a tally, and real sockets of this very process.
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "fakes/probe_trial.h"
#include "fakes/tcp_peer.h"
#include "probe/host/exchange.h"
#include "probe/host/socket_tally.h"

namespace {

using base::Millis;
using model::Reason;
using net::DiagSocket;
using net::TcpState;
using probe::Exchange;

constexpr base::Instant kNow{std::chrono::hours{1}};

DiagSocket connection(std::uint64_t received, std::uint64_t sent, int since_received, int since_sent,
                      std::uint32_t unread = 0, TcpState state = TcpState::established) {
  DiagSocket socket;
  socket.family = AF_INET;
  socket.state = static_cast<std::uint8_t>(state);
  socket.port = 8081;
  socket.peer_port = 51234;
  socket.peer[0] = htonl(0x0a000007);
  socket.cookie = 1;
  socket.inode = 4711;
  socket.receive_queue = unread;
  socket.counts = net::TcpCounts{.bytes_received = received,
                                 .bytes_sent = sent,
                                 .last_sent = Millis{since_sent},
                                 .last_received = Millis{since_received},
                                 .round_trip_us = 250};
  return socket;
}

DiagSocket listener(std::uint32_t waiting, std::uint32_t limit, int port = 8081) {
  DiagSocket socket;
  socket.family = AF_INET;
  socket.state = static_cast<std::uint8_t>(TcpState::listen);
  socket.port = static_cast<std::uint16_t>(port);
  socket.receive_queue = waiting;
  socket.send_queue = limit;
  return socket;
}

// One look at these sockets.
struct Looked {
  Looked(const probe::SocketsSettings& settings, probe::Waits& waits, const std::vector<DiagSocket>& sockets,
         base::Instant now = kNow) {
    probe::SocketTally tally(settings, waits, now);
    for (const DiagSocket& socket : sockets) tally.take(socket);
    outcome = tally.judge();
  }
  double measured(const std::string& name, const std::string& label = "port", const std::string& value = "8081") const {
    for (const auto& m : outcome.measurements)
      if (m.name == name && m.labels.get(label) == value) return m.value;
    FAIL("no measurement " << name);
    return 0;
  }
  model::Outcome outcome;
};

}  // namespace

TEST_CASE("who speaks next is told from bytes and times alone") {
  constexpr auto kCloseWait = TcpState::close_wait;
  struct Row {
    const char* what;
    DiagSocket socket;
    Exchange exchange;
  };
  for (const Row& row : {
           // As Linux 6.18 had them of real connections.
           Row{"connected, and silent", connection(0, 0, 500, 500), Exchange::none},
           Row{"a greeting went out, as a mail server's", connection(0, 90, 500, 500), Exchange::none},
           Row{"a health check that connected and closed, not accepted", connection(1, 0, 4, 4, 1, kCloseWait),
               Exchange::none},
           Row{"a first request, unread", connection(3, 0, 500, 500, 3), Exchange::waiting_first},
           Row{"a first request, read", connection(78, 0, 300, 900), Exchange::waiting_first},
           Row{"a first request, and its peer closed", connection(6, 0, 500, 500, 6, kCloseWait),
               Exchange::waiting_first},
           Row{"answered, and silent since", connection(2, 2, 300, 200), Exchange::answered},
           Row{"answered within a tick", connection(2, 2, 200, 200), Exchange::answered},
           Row{"the next request within the tick of the answer, unread", connection(2, 2, 200, 200, 1),
               Exchange::waiting_next},
           Row{"the next request, read", connection(3, 2, 204, 404), Exchange::waiting_next},
           Row{"the next request, unread", connection(3, 2, 204, 404, 1), Exchange::waiting_next},
           Row{"answered, then the peer closed", connection(3, 2, 400, 300, 1, kCloseWait), Exchange::answered},
           Row{"answered within a tick, then the peer closed", connection(3, 2, 300, 300, 1, kCloseWait),
               Exchange::answered},
           Row{"the service has closed", connection(3, 0, 300, 300, 0, TcpState::fin_wait2), Exchange::none},
           Row{"on the way", connection(0, 0, 0, 0, 0, TcpState::syn_recv), Exchange::none},
       }) {
    CAPTURE(row.what);
    CHECK(probe::exchange_of(row.socket) == row.exchange);
  }
  DiagSocket uncounted = connection(3, 0, 300, 300);
  uncounted.counts.reset();
  CHECK(probe::exchange_of(uncounted) == Exchange::none);
}

TEST_CASE("a peer that goes on sending to a service that reads nothing waits since its first word") {
  probe::Waits waits;
  const auto look = [&](const DiagSocket& socket, int second) {
    probe::Waits::Look seen;
    const base::Duration waited = waits.waited(socket, kNow + std::chrono::seconds{second}, seen);
    waits.keep(std::move(seen));
    return std::chrono::duration_cast<std::chrono::seconds>(waited).count();
  };
  CHECK(look(connection(100, 50, 0, 9000, 10), 0) == 0);
  CHECK(look(connection(110, 50, 0, 10000, 20), 1) == 1);
  CHECK(look(connection(200, 50, 0, 14000, 110), 5) == 5);
  // It was read, and more came at once: an upload, or a service that is slow but works.
  CHECK(look(connection(300, 50, 0, 15000, 110), 6) == 0);
  CHECK(look(connection(300, 50, 3000, 18000, 110), 9) == 3);
  // Something was answered in between.
  CHECK(look(connection(400, 60, 0, 1000, 210), 10) == 0);
  // Read to its end, and unanswered: the time since the last word is the kernel's.
  CHECK(look(connection(400, 60, 2000, 3000, 0), 12) == 2);
  CHECK(look(connection(500, 60, 0, 9000, 310), 15) == 0);
}

TEST_CASE("the verdict counts requests that wait for longer than stalled_after") {
  probe::SocketsSettings settings{.ports = {8081}, .stalled_after = Millis{10'000}};
  probe::Waits waits;
  const DiagSocket answered = connection(10, 10, 20'000, 19'000);
  const DiagSocket busy = connection(20, 10, 2'500, 19'000);
  DiagSocket stalled = connection(20, 10, 12'345, 19'000);
  const Looked well(settings, waits, {listener(0, 128), answered, busy});
  CHECK(well.outcome.up);
  CHECK(well.outcome.text ==
        "2 connections to :8081, 1 waits for an answer; 0.0.0.0:8081: 0 of 129 places of its queue are taken");
  CHECK(well.measured("probe_sockets_waiting") == 1);
  CHECK(well.measured("probe_sockets_stalled") == 0);
  CHECK(well.measured("probe_sockets_longest_wait_seconds") == 2.5);
  CHECK(well.measured("probe_sockets_connections", "state", "established") == 2);
  CHECK(well.measured("probe_sockets_rtt_seconds", "quantile", "0.99") == 0.00025);

  const Looked one(settings, waits, {listener(0, 128), answered, stalled, busy});
  CHECK(one.outcome.reason == Reason::requests_stalled);
  CHECK(one.outcome.text ==
        "1 of 3 connections to :8081 waits for an answer, from 10.0.0.7:51234, for 12s; stalled_after is 10s");
  CHECK(one.measured("probe_sockets_stalled") == 1);

  DiagSocket unaccepted = connection(30, 0, 15'000, 15'000, 30);
  unaccepted.inode = 0;
  unaccepted.peer[0] = htonl(0x0a000008);
  const DiagSocket given_up = connection(8, 0, 11'000, 11'000, 8, TcpState::close_wait);
  const Looked many(settings, waits, {listener(1, 128), answered, stalled, unaccepted, given_up});
  CHECK(many.outcome.reason == Reason::requests_stalled);
  CHECK(many.outcome.text ==
        "3 of 4 connections to :8081 wait for an answer, the oldest, from 10.0.0.8:51234, for 15s; 1 is not accepted; "
        "2 have unread bytes; 1 peer has given up; stalled_after is 10s");
  CHECK(many.measured("probe_sockets_unread_bytes") == 37);

  settings.max_stalled = 1;
  CHECK(Looked(settings, waits, {listener(0, 128), answered, stalled}).outcome.up);
  CHECK(Looked(settings, waits, {listener(0, 128), stalled, stalled}).outcome.text.ends_with("max_stalled is 1"));
  settings.stalled_after = Millis{0};
  const Looked unjudged(settings, waits, {listener(0, 128), stalled, stalled});
  CHECK(unjudged.outcome.up);
  CHECK(unjudged.measured("probe_sockets_waiting") == 2);
  CHECK(unjudged.measured("probe_sockets_stalled") == 0);
}

TEST_CASE("a queue that fills comes first, and a port without a listener before all") {
  const probe::SocketsSettings settings{.ports = {8081, 8443}};
  probe::Waits waits;
  const DiagSocket stalled = connection(20, 10, 12'345, 19'000);
  const Looked full(settings, waits, {listener(4, 3), listener(0, 128), listener(0, 128, 8443), stalled});
  CHECK(full.outcome.reason == Reason::queue_saturated);
  CHECK(full.outcome.text ==
        "0.0.0.0:8081 does not accept fast enough: 4 of 4 places of its queue are taken, max_fill is 80 %; 1 of 1 "
        "connection to :8081, :8443 waits for an answer, from 10.0.0.7:51234, for 12s; stalled_after is 10s");
  const Looked deaf(settings, waits, {listener(0, 3), stalled});
  CHECK(deaf.outcome.reason == Reason::refused);
  CHECK(deaf.outcome.text ==
        "no socket listens on :8443; those of other network namespaces, as of containers, are not seen");
  CHECK(deaf.measured("probe_sockets_listening", "port", "8443") == 0);
}

namespace {

struct Look : fakes::Trial {
  explicit Look(const std::string& target, const std::vector<std::string>& settings = {})
      : fakes::Trial("sockets", target, settings) {
    start();
    world.loop.run_due();
    REQUIRE(answers == 1);
  }
};

// A client of this process, connected to a port of 127.0.0.1 or ::1.
base::UniqueFd connect_to(std::uint16_t port, int family = AF_INET) {
  base::UniqueFd client(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  v4.sin_port = htons(port);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_addr = in6addr_loopback;
  v6.sin6_port = htons(port);
  const bool is_v6 = family == AF_INET6;
  REQUIRE(::connect(client.value(), is_v6 ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4),
                    is_v6 ? sizeof v6 : sizeof v4) == 0);
  return client;
}

}  // namespace

TEST_CASE("real sockets: both families, IPv4 on an IPv6 socket, several ports, requests and none") {
  base::UniqueFd v4, dual(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const std::uint16_t v4_port = fakes::TcpPeer::bind_loopback(v4);
  REQUIRE(::listen(v4.value(), 9) == 0);
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  socklen_t size = sizeof any;
  REQUIRE(::bind(dual.value(), reinterpret_cast<sockaddr*>(&any), size) == 0);
  REQUIRE(::listen(dual.value(), 9) == 0);
  REQUIRE(::getsockname(dual.value(), reinterpret_cast<sockaddr*>(&any), &size) == 0);
  const std::uint16_t dual_port = ntohs(any.sin6_port);

  const base::UniqueFd first = connect_to(v4_port);
  const base::UniqueFd mapped = connect_to(dual_port);
  const base::UniqueFd v6 = connect_to(dual_port, AF_INET6);
  REQUIRE(::send(mapped.value(), "hello", 5, 0) == 5);
  const std::string ports = std::to_string(v4_port) + ", " + std::to_string(dual_port);
  const Look look(ports);
  CHECK(look.found.up);
  CHECK(look.found.text.starts_with("3 connections to :"));
  CHECK(look.spec.settings->target() == "connections to " + ports);
  const auto of = [&](const char* name, std::uint16_t port) {
    return look.measured(name, "port", std::to_string(port));
  };
  CHECK(of("probe_sockets_queue_length", v4_port) == 1);
  CHECK(of("probe_sockets_queue_limit", v4_port) == 9);
  CHECK(of("probe_sockets_waiting", v4_port) == 0);
  CHECK(of("probe_sockets_queue_length", dual_port) == 2);
  CHECK(of("probe_sockets_waiting", dual_port) == 1);
  CHECK(of("probe_sockets_unread_bytes", dual_port) == 5);
  CHECK(of("probe_sockets_listening", dual_port) == 1);
}

TEST_CASE("a port where nothing listens") {
  const std::string dead = std::to_string(fakes::TcpPeer::dead_port());
  const Look look(dead);
  CHECK(look.found.reason == Reason::refused);
  CHECK(look.found.text ==
        "no socket listens on :" + dead + "; those of other network namespaces, as of containers, are not seen");
}

TEST_CASE("a look at many connections takes several turns, and can be dropped between them") {
  base::UniqueFd server;
  const std::uint16_t port = fakes::TcpPeer::bind_loopback(server);
  REQUIRE(::listen(server.value(), 4096) == 0);
  std::vector<base::UniqueFd> clients;
  for (int i = 0; i < 450; ++i) clients.push_back(connect_to(port));
  const Look whole(std::to_string(port));
  CHECK(whole.measured("probe_sockets_connections", "state", "established") == 450);
  fakes::Trial dropped("sockets", std::to_string(port));
  dropped.start();
  dropped.attempt.reset();
  dropped.world.loop.run_due();
  CHECK(dropped.answers == 0);
}
