#include "net/stream.h"

#include <doctest/doctest.h>
#include <poll.h>

#include <array>
#include <filesystem>
#include <optional>

#include "fakes/run_until.h"
#include "fakes/tcp_peer.h"
#include "net/hosts_file.h"
#include "net/resolver.h"

using namespace std::chrono_literals;
using fakes::PeerSocket;
using fakes::TcpPeer;
using model::Reason;

namespace {

struct World {
  loop::EventLoop loop;
  net::AresResolver resolver{loop};
  net::StreamDialer dialer{loop, resolver};

  net::Connected dial(net::Dial dial, base::Duration limit = 10s) {
    std::optional<net::Connected> connected;
    dial.deadline = loop.now() + limit;
    const auto handle = dialer.connect(std::move(dial), [&](net::Connected c) {
      REQUIRE_FALSE(connected.has_value());
      connected = std::move(c);
    });
    CHECK_FALSE(connected.has_value());
    REQUIRE(fakes::run_until(loop, [&] { return connected.has_value(); }));
    return *std::move(connected);
  }

  // Everything until the peer closes or reading fails.
  struct Received {
    std::string bytes;
    bool ended = false;
    std::optional<net::StreamFailure> failure;
  };
  Received read_all(net::Stream& stream) {
    Received received;
    stream.read([&](std::string_view bytes, const net::StreamFailure* failure) {
      REQUIRE_FALSE(received.ended);
      received.bytes += bytes;
      if (failure != nullptr) received.failure = *failure;
      received.ended = bytes.empty();
    });
    REQUIRE(fakes::run_until(loop, [&] { return received.ended; }));
    return received;
  }
};

}  // namespace

TEST_CASE("a stream speaks from the address that it is told to") {
  World world;
  TcpPeer peer([](PeerSocket& socket) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getpeername(socket.fd(), reinterpret_cast<sockaddr*>(&address), &size);
    std::array<char, INET_ADDRSTRLEN> text{};
    socket.send(::inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size()));
  });
  const auto connected = world.dial({.host = "127.0.0.1", .port = peer.port(), .source = "127.0.0.9"});
  REQUIRE(connected.stream != nullptr);
  CHECK(world.read_all(*connected.stream).bytes == "127.0.0.9");
  const auto foreign = world.dial({.host = "127.0.0.1", .port = peer.port(), .source = "192.0.2.1"});
  CHECK(foreign.failure.reason == Reason::agent_overloaded);  // nobody was asked anything
  CHECK(foreign.failure.text ==
        "cannot connect to " + peer.address() + " from 192.0.2.1: Cannot assign requested address");
}

TEST_CASE("a stream connects, writes, reads what comes and is told of the end") {
  World world;
  TcpPeer peer([](PeerSocket& socket) {
    socket.send("welcome\n");
    const std::string got = socket.read_until("\n");
    socket.send("you said " + got);
  });
  auto connected = world.dial({.host = "localhost", .port = peer.port(), .family = net::Family::v4});
  REQUIRE(connected.stream != nullptr);
  CHECK(connected.address == "127.0.0.1");
  CHECK(connected.stream->peer() == peer.address());
  CHECK(connected.stream->peer_chain() == nullptr);
  REQUIRE(connected.phases.size() == 2);
  CHECK(connected.phases[0].name == "resolve");
  CHECK(connected.phases[1].name == "connect");
  int written = 0;
  connected.stream->write("hel", [&](const net::StreamFailure* failure) { written += failure == nullptr; });
  connected.stream->write("lo\n", [&](const net::StreamFailure* failure) { written += 10 * (failure == nullptr); });
  CHECK(written == 0);
  const auto received = world.read_all(*connected.stream);
  CHECK(received.bytes == "welcome\nyou said hello\n");
  CHECK_FALSE(received.failure.has_value());
  CHECK(written == 11);
}

TEST_CASE("a connection that cannot be made has its reason and a text that says where") {
  World world;
  const std::uint16_t dead = TcpPeer::dead_port();
  const std::string address = "127.0.0.1:" + std::to_string(dead);
  struct Row {
    net::Dial dial;
    Reason reason;
    std::string text;
  };
  for (const Row& row :
       {Row{{.host = "127.0.0.1", .port = dead}, Reason::refused, "connect to " + address + ": Connection refused"},
        Row{{.unix_path = "/no/such/socket"}, Reason::refused, "connect to /no/such/socket: No such file or directory"},
        Row{{.unix_path = std::string(200, 'x')},
            Reason::unreachable,
            "connect to " + std::string(200, 'x') + ": the path is too long for a socket"},
        Row{{.host = "127.0.0.1", .port = 1, .family = net::Family::v6},
            Reason::dns_error,
            "127.0.0.1 is no IPv6 address"},
        Row{{.host = "255.255.255.255", .port = 9}, Reason::unreachable, ""}}) {
    CAPTURE(row.text);
    const auto connected = world.dial(row.dial);
    CHECK(connected.stream == nullptr);
    CHECK(model::to_string(connected.failure.reason) == model::to_string(row.reason));
    if (!row.text.empty()) CHECK(connected.failure.text == row.text);
  }
}

TEST_CASE("a full accept queue is a connect timeout, over TCP and over a unix socket") {
  World world;
  base::UniqueFd listener;
  const auto port = TcpPeer::bind_loopback(listener);
  REQUIRE(::listen(listener.value(), 0) == 0);
  std::vector<net::Connected> fill;
  for (int i = 0; i < 3; ++i) {
    const auto begin = world.loop.now();
    auto connected = world.dial({.host = "127.0.0.1", .port = port}, 20ms);
    if (connected.stream != nullptr) {
      fill.push_back(std::move(connected));
      continue;
    }
    CHECK(connected.failure.reason == Reason::connect_timeout);
    CHECK(connected.failure.text == "connect to 127.0.0.1:" + std::to_string(port) + ": timed out");
    CHECK(world.loop.now() - begin >= 20ms);
  }
  CHECK(fill.size() < 3);
}

TEST_CASE("an address that does not answer keeps no other waiting") {
  // Two addresses of one name: the first takes no connection, the second does.
  struct TwoAddresses final : net::Resolver {
    loop::EventLoop& loop;
    explicit TwoAddresses(loop::EventLoop& l) : loop(l) {}
    loop::Handle resolve(const std::string&, std::uint16_t port, net::Family, base::Instant,
                         std::function<void(base::Result<std::vector<net::Address>>)> done) override {
      return loop.at(loop.now(), [port, done = std::move(done)] {
        done(std::vector{net::with_port(net::parse_literal("127.0.0.2")[0], port),
                         net::with_port(net::parse_literal("127.0.0.1")[0], port)});
      });
    }
  };
  World world;
  TwoAddresses resolver(world.loop);
  net::StreamDialer dialer(world.loop, resolver);
  TcpPeer peer([](PeerSocket& socket) { socket.wait_for_close(); });
  const base::UniqueFd full(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(peer.port());
  ::inet_pton(AF_INET, "127.0.0.2", &address.sin_addr);
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  REQUIRE(::bind(full.value(), to, sizeof address) == 0);
  REQUIRE(::listen(full.value(), 0) == 0);
  std::vector<base::UniqueFd> fill;
  for (int i = 0; i < 3; ++i) {
    fill.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    (void)::connect(fill.back().value(), to, sizeof address);
  }
  std::optional<net::Connected> connected;
  // Its share of the time would be half a minute.
  const auto handle = dialer.connect({.host = "shop", .port = peer.port(), .deadline = world.loop.now() + 60s},
                                     [&](net::Connected c) { connected = std::move(c); });
  REQUIRE(fakes::run_until(world.loop, [&] { return connected.has_value(); }));
  CHECK(connected->stream != nullptr);
  CHECK(connected->address == "127.0.0.1");
}

TEST_CASE("what a peer does to a stream has its reason") {
  World world;
  SUBCASE("silence is a read timeout") {
    TcpPeer peer([](PeerSocket& socket) { socket.wait_for_close(); });
    const auto connected = world.dial({.host = "127.0.0.1", .port = peer.port()}, 20ms);
    const auto received = world.read_all(*connected.stream);
    CHECK(received.failure->reason == Reason::read_timeout);
    CHECK(received.failure->text == "read from " + peer.address() + ": timed out");
    // Whatever begins after the deadline fails too.
    std::optional<Reason> late;
    connected.stream->write("x", [&](const net::StreamFailure* failure) { late = failure->reason; });
    CHECK(fakes::run_until(world.loop, [&] { return late.has_value(); }));
    CHECK(*late == Reason::send_timeout);
  }
  SUBCASE("a reset after some bytes") {
    TcpPeer peer([](PeerSocket& socket) {
      socket.read_until("\n");
      socket.send("half");
      socket.reset();
    });
    const auto connected = world.dial({.host = "127.0.0.1", .port = peer.port()});
    connected.stream->write("\n", [](auto) {});
    const auto received = world.read_all(*connected.stream);
    REQUIRE(received.failure.has_value());
    CHECK(received.failure->reason == Reason::reset);
    CHECK(received.failure->text == "read from " + peer.address() + ": Connection reset by peer");
  }
  SUBCASE("one that takes no more is a send timeout") {
    TcpPeer peer([](PeerSocket& socket) {
      std::array<pollfd, 1> hung_up{pollfd{.fd = socket.fd(), .events = POLLRDHUP, .revents = 0}};
      ::poll(hung_up.data(), 1, 10'000);
    });
    const auto connected = world.dial({.host = "127.0.0.1", .port = peer.port()}, 50ms);
    std::optional<net::StreamFailure> failure;
    connected.stream->write(std::string(30'000'000, 'x'), [&](const net::StreamFailure* f) { failure = *f; });
    CHECK(fakes::run_until(world.loop, [&] { return failure.has_value(); }));
    CHECK(failure->reason == Reason::send_timeout);
    CHECK(failure->text == "write to " + peer.address() + ": timed out");
  }
  SUBCASE("much is read in pieces of at most 64 KiB") {
    TcpPeer peer([](PeerSocket& socket) { socket.send(std::string(1'000'000, 'y')); });
    const auto connected = world.dial({.host = "127.0.0.1", .port = peer.port()});
    CHECK(world.read_all(*connected.stream).bytes.size() == 1'000'000);
  }
}

TEST_CASE("a stream may be dropped inside each of its callbacks, and a dial inside its own") {
  World world;
  TcpPeer peer([](PeerSocket& socket) {
    socket.send("x");
    socket.wait_for_close();
  });
  const net::Dial dial{.host = "127.0.0.1", .port = peer.port(), .deadline = world.loop.now() + 10s};
  bool read = false, wrote = false, told = false;
  auto first = world.dial(dial);
  first.stream->read([&](std::string_view bytes, auto) {
    CHECK(bytes == "x");
    first.stream.reset();
    read = true;
  });
  auto second = world.dial(dial);
  second.stream->write("a", [&](auto) {
    second.stream.reset();
    wrote = true;
  });
  second.stream->write("b", [&](auto) { FAIL("told after the drop"); });
  loop::Handle self;
  self = world.dialer.connect(dial, [&](net::Connected) {
    self.reset();
    told = true;
  });
  auto dropped = world.dialer.connect(dial, [&](net::Connected) { FAIL("told after the drop"); });
  dropped.reset();
  CHECK(fakes::run_until(world.loop, [&] { return read && wrote && told; }));
}

TEST_CASE("a unix socket is a stream like any other") {
  World world;
  const std::string path = std::filesystem::temp_directory_path() / ("fettle-stream-" + std::to_string(::getpid()));
  TcpPeer peer([](PeerSocket& socket) { socket.send("unix " + socket.read_until("\n")); }, AF_UNIX, path);
  const auto connected = world.dial({.unix_path = path});
  REQUIRE(connected.stream != nullptr);
  CHECK(connected.address.empty());
  CHECK(connected.stream->peer() == path);
  connected.stream->write("hi\n", [](auto) {});
  CHECK(world.read_all(*connected.stream).bytes == "unix hi\n");
}
