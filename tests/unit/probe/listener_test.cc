// listener: real sockets of this very process, listening and hung.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "fakes/probe_trial.h"
#include "fakes/tcp_peer.h"
#include "fakes/udp_peer.h"
#include "net/listening_sockets.h"

namespace {

using model::Reason;

// Listens with a queue of `limit` and never accepts.
struct Hung {
  explicit Hung(int limit, int family = AF_INET) : port(fakes::TcpPeer::bind_loopback(listener, family)) {
    REQUIRE(::listen(listener.value(), limit) == 0);
  }
  // A client whose connection the kernel completes, as long as there is a place.
  void connect() {
    base::UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    REQUIRE(::connect(client.value(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    clients.push_back(std::move(client));
  }
  base::UniqueFd listener;
  std::uint16_t port;
  std::vector<base::UniqueFd> clients;
};

struct Look : fakes::Trial {
  Look(const std::string& target, const std::vector<std::string>& settings = {})
      : fakes::Trial("listener", target, settings) {
    start();
    world.loop.run_due();
    REQUIRE(answers == 1);
  }
};

}  // namespace

TEST_CASE("listener sees an acceptor that hangs while connecting still works") {
  Hung server(3);
  const std::string target = "127.0.0.1:" + std::to_string(server.port);
  struct Row {
    int waiting;
    Reason reason;
    const char* text;
  };
  for (const Row& row : {
           Row{0, Reason::none, " is listened on, 0 of 4 places of its queue are taken"},
           Row{2, Reason::none, " is listened on, 2 of 4 places of its queue are taken"},
           Row{3, Reason::queue_saturated,
               " does not accept fast enough: 3 of 4 places of its queue are taken, max_fill is 75 %"},
           Row{4, Reason::queue_saturated,
               " does not accept fast enough: 4 of 4 places of its queue are taken, max_fill is 75 %"},
       }) {
    CAPTURE(row.waiting);
    while (static_cast<int>(server.clients.size()) < row.waiting) server.connect();
    const Look look(target, {"max_fill=0.75"});
    CHECK(look.found.reason == row.reason);
    CHECK(look.found.text == target + row.text);
    CHECK(look.measured("probe_listener_sockets") == 1);
    CHECK(look.measured("probe_listener_queue_length") == row.waiting);
    CHECK(look.measured("probe_listener_queue_limit") == 3);
    CHECK(look.measured("probe_listener_queue_fill_ratio") == row.waiting / 4.0);
  }
  CHECK(Look(std::to_string(server.port)).found.reason == Reason::queue_saturated);
}

TEST_CASE("listener tells where somebody listens when it is not here") {
  const std::string dead = std::to_string(fakes::TcpPeer::dead_port());
  const Look nobody(dead);
  CHECK(nobody.found.reason == Reason::refused);
  CHECK(nobody.found.text == "nobody listens on port " + dead);
  CHECK(nobody.measured("probe_listener_sockets") == 0);

  const Hung server(3);
  const std::string port = std::to_string(server.port);
  const Look elsewhere("192.0.2.1:" + port);
  CHECK(elsewhere.found.reason == Reason::refused);
  CHECK(elsewhere.found.text == "nobody listens on 192.0.2.1:" + port + "; somebody does on 127.0.0.1:" + port);

  const Hung v6(3, AF_INET6);
  CHECK(Look("[::1]:" + std::to_string(v6.port)).found.text ==
        "[::1]:" + std::to_string(v6.port) + " is listened on, 0 of 4 places of its queue are taken");
}

TEST_CASE("listener sees a server of UDP that reads nothing any more, and the datagrams that are lost") {
  std::uint16_t port = 0;
  const base::UniqueFd server = fakes::UdpPeer::bind_loopback(port);
  const std::string target = "127.0.0.1:" + std::to_string(port);
  const std::vector<std::string> udp{"transport_protocol=udp"};
  const Look idle(target, udp);
  CHECK(idle.found.reason == Reason::none);
  CHECK(idle.found.text.starts_with(target + " is listened on, 0 of "));
  CHECK(idle.found.text.ends_with(" bytes of its receive buffer are taken"));
  CHECK(idle.measured("probe_listener_sockets") == 1);
  CHECK(idle.measured("probe_listener_receive_buffer_bytes") == 0);
  const double limit = idle.measured("probe_listener_receive_buffer_limit_bytes");
  CHECK(limit > 0);
  CHECK(idle.measured("probe_listener_queue_fill_ratio") == 0);
  CHECK(idle.measured("probe_listener_dropped_datagrams") == 0);

  std::uint16_t own = 0;
  const base::UniqueFd client = fakes::UdpPeer::bind_loopback(own);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(port);
  const std::string datagram(1000, 'x');
  for (double sent = 0; sent < 2 * limit; sent += 1000)
    REQUIRE(::sendto(client.value(), datagram.data(), datagram.size(), 0, reinterpret_cast<sockaddr*>(&to),
                     sizeof to) == 1000);
  const Look hung(target, udp);
  CHECK(hung.found.reason == Reason::queue_saturated);
  CHECK(hung.found.text.starts_with(target + " does not read fast enough: "));
  CHECK(hung.found.text.ends_with(" bytes of its receive buffer are taken, max_fill is 80 %"));
  CHECK(hung.measured("probe_listener_receive_buffer_bytes") > limit / 2);
  CHECK(hung.measured("probe_listener_dropped_datagrams") > 0);

  // The port of TCP is another one, and a socket that is connected to one peer serves nobody else.
  CHECK(Look(target).found.reason == Reason::refused);
  REQUIRE(::connect(client.value(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  const Look connected(std::to_string(own), udp);
  CHECK(connected.found.reason == Reason::refused);
  CHECK(connected.found.text == "nobody listens on UDP port " + std::to_string(own));
  CHECK(connected.measured("probe_listener_sockets") == 0);
}

TEST_CASE("a socket takes what its address covers") {
  struct Row {
    const char* address;
    bool v6_only;
    const char* literal;
    bool takes;
  };
  for (const Row& row : {
           Row{"127.0.0.1", false, "127.0.0.1", true},
           Row{"127.0.0.1", false, "10.0.0.1", false},
           Row{"0.0.0.0", false, "10.0.0.1", true},
           Row{"0.0.0.0", false, "::1", false},
           Row{"::", false, "::1", true},
           Row{"::", false, "10.0.0.1", true},
           Row{"::", true, "10.0.0.1", false},
           Row{"::1", false, "127.0.0.1", false},
           Row{"::ffff:10.0.0.1", false, "10.0.0.1", true},
       }) {
    CAPTURE(row.address);
    CAPTURE(row.literal);
    net::ListeningSocket listener;
    listener.address = row.address;
    listener.v6_only = row.v6_only;
    CHECK(listener.takes(row.literal) == row.takes);
  }

  // What the kernel says of a real dual-stack socket, and of one that is for IPv6 alone.
  for (const int only : {0, 1}) {
    base::UniqueFd fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::setsockopt(fd.value(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) == 0);
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    socklen_t size = sizeof any;
    REQUIRE(::bind(fd.value(), reinterpret_cast<sockaddr*>(&any), size) == 0);
    REQUIRE(::listen(fd.value(), 7) == 0);
    REQUIRE(::getsockname(fd.value(), reinterpret_cast<sockaddr*>(&any), &size) == 0);
    const auto found = net::tcp_listening_sockets(ntohs(any.sin6_port));
    REQUIRE(found);
    REQUIRE(found->size() == 1);
    CHECK(found->front().address == "::");
    CHECK(found->front().limit == 7);
    CHECK(found->front().v6_only == (only == 1));
  }
}
