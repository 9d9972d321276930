// STARTTLS on a stream: what leaves in the clear, what in TLS, and what must not be believed.
#include <doctest/doctest.h>
#include <poll.h>

#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include "fakes/certificates.h"
#include "fakes/run_until.h"
#include "net/resolver.h"
#include "net/stream.h"
#include "net/tls/tls.h"

using namespace std::chrono_literals;
using fakes::Certificate;
using fakes::make_certificate;
using fakes::PeerSocket;
using fakes::TcpPeer;
using fakes::TlsServer;
using model::Reason;

namespace {

struct World {
  loop::EventLoop loop;
  net::AresResolver resolver{loop};
  net::StreamDialer dialer{loop, resolver};

  std::unique_ptr<net::Stream> dial(const TcpPeer& peer, base::Duration limit = 10s) {
    std::optional<net::Connected> came;
    const auto handle = dialer.connect({.host = "127.0.0.1", .port = peer.port(), .deadline = loop.now() + limit},
                                       [&](net::Connected connected) { came = std::move(connected); });
    REQUIRE(fakes::run_until(loop, [&] { return came.has_value(); }));
    INFO(came->failure.text);
    REQUIRE(came->stream != nullptr);
    return std::move(came->stream);
  }
};

std::shared_ptr<net::TlsContext> any_certificate() {
  auto made = net::TlsContext::get({.insecure_skip_verify = true});
  REQUIRE(made.has_value());
  return *std::move(made);
}

}  // namespace

TEST_CASE("a stream goes on in TLS on the same connection") {
  const Certificate certificate = make_certificate({.common_name = "mail", .alternative = "DNS:mail.test"});
  const TlsServer server(certificate);
  TcpPeer peer([&](PeerSocket& socket) {
    socket.send("220 ready\n");
    socket.read_until("STARTTLS\n");
    socket.send("220 go\n");
    const auto ssl = server.accept(socket);
    if (ssl == nullptr) return;
    TlsServer::send(ssl.get(), "secret " + TlsServer::read_until(ssl.get(), "\n"));
    SSL_shutdown(ssl.get());
  });
  World world;
  const auto connected = world.dial(peer);
  std::string got;
  bool ended = false;
  net::Stream& stream = *connected;
  const auto tls = any_certificate();
  stream.read([&](std::string_view bytes, const net::StreamFailure* failure) {
    CHECK(failure == nullptr);
    got += bytes;
    ended = bytes.empty();
    if (got == "220 ready\n") stream.write("STARTTLS\n", [](auto refused) { CHECK(refused == nullptr); });
    if (got != "220 ready\n220 go\n") return;
    stream.start_tls(tls, "mail.test", {}, [&](const net::StreamFailure* bad) {
      CHECK(bad == nullptr);
      stream.write("hello\n", [](auto) {});
    });
  });
  CHECK(fakes::run_until(world.loop, [&] { return ended; }));
  CHECK(got == "220 ready\n220 go\nsecret hello\n");
  CHECK(stream.peer_chain()->subject == "CN=mail");
}

TEST_CASE("what was said before an upgrade leaves in the clear, ahead of the hello, however much it is") {
  const auto certificate = make_certificate({.common_name = "db"});
  const TlsServer tls(certificate);
  for (const std::size_t size : {std::size_t{36}, std::size_t{8'000'000}}) {
    for (const bool told : {true, false}) {
      CAPTURE(size);
      CAPTURE(told);
      std::string words(size, 'x'), in_clear(size, '\0');
      TcpPeer peer([&](PeerSocket& socket) {
        CHECK(::recv(socket.fd(), in_clear.data(), size, MSG_WAITALL) == static_cast<ssize_t>(size));
        const auto ssl = tls.accept(socket);
        if (ssl) TlsServer::send(ssl.get(), "got " + TlsServer::read_until(ssl.get(), "\n"));
      });
      World world;
      const auto connected = world.dial(peer);
      net::Stream& stream = *connected;
      std::vector<std::string> order;
      std::string got;
      const auto note = [&](const char* what) {
        return [&order, what](const net::StreamFailure* failure) { order.push_back(failure ? failure->text : what); };
      };
      stream.read([&](std::string_view bytes, const net::StreamFailure*) { got += bytes; });
      if (told) stream.write(words, note("written"));
      else stream.write(words, nullptr);
      stream.start_tls(any_certificate(), "", {}, note("shaken"));
      stream.write("in TLS\n", nullptr);
      CHECK(fakes::run_until(world.loop, [&] { return !got.empty(); }));
      CHECK(got == "got in TLS\n");
      CHECK(order == (told ? std::vector<std::string>{"written", "shaken"} : std::vector<std::string>{"shaken"}));
      CHECK(in_clear == words);
    }
  }
}

TEST_CASE("an upgrade ends where clear text was slipped in, and where the clear text before it cannot leave") {
  struct Row {
    const char* name;
    const char* unread;
    std::size_t size;  // of what is written before
    std::function<void(PeerSocket&)> serve;
    Reason reason;
    const char* text;
  };
  const auto wait = [](PeerSocket& socket) { socket.wait_for_close(); };
  for (const Row& row : {
           Row{"held by the caller", "250 injected\r\n", 9, wait, Reason::protocol_error,
               " sent 14 bytes more in the clear before TLS began; somebody may stand in between"},
           Row{"on its way", "", 9,
               [](PeerSocket& socket) {
                 socket.read_until("STARTTLS\n");
                 socket.send("250 injected, and more than a header of TLS\r\n");
                 socket.wait_for_close();
               },
               Reason::tls_handshake, ""},
           Row{"a peer that takes nothing", "", 64'000'000,
               [](PeerSocket& socket) {
                 pollfd reset{.fd = socket.fd(), .events = 0, .revents = 0};
                 ::poll(&reset, 1, -1);
               },
               Reason::send_timeout, ": timed out"},
           Row{"a peer that resets", "", 64'000'000,
               [](PeerSocket& socket) {
                 socket.read_until("x");
                 socket.reset();
               },
               Reason::reset, ""},
       }) {
    CAPTURE(row.name);
    TcpPeer peer([&](PeerSocket& socket) { row.serve(socket); });
    World world;
    auto connected = world.dial(peer, row.reason == Reason::send_timeout ? 500ms : 20s);
    std::optional<net::StreamFailure> failure;
    connected->write(std::string(row.size - 9, 'x') + "STARTTLS\n", nullptr);
    connected->start_tls(any_certificate(), "", row.unread, [&](const net::StreamFailure* bad) {
      REQUIRE_FALSE(failure.has_value());
      failure = bad ? *bad : net::StreamFailure{};
    });
    CHECK_FALSE(failure.has_value());
    CHECK(fakes::run_until(world.loop, [&] { return failure.has_value(); }));
    CHECK(failure->reason == row.reason);
    CHECK(failure->text.ends_with(row.text));
    connected.reset();
  }
}
