// TIME_WAIT: connections that were closed politely are found, those that were reset are not.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "fakes/run_until.h"
#include "fakes/tcp_peer.h"
#include "http/http_client.h"
#include "net/resolver.h"
#include "net/stream.h"
#include "net/time_wait.h"

namespace {

base::UniqueFd connected(std::uint16_t port) {
  base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  REQUIRE(::connect(fd.value(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

}  // namespace

TEST_CASE("a connection that was closed politely is left behind, one that was reset is not") {
  const fakes::TcpPeer peer([](fakes::PeerSocket& socket) { socket.wait_for_close(); });
  net::count_left_behind();  // of other tests
  for (const bool politely : {true, false}) {
    CAPTURE(politely);
    base::UniqueFd fd = connected(peer.port());
    const linger reset{.l_onoff = 1, .l_linger = 0};
    if (!politely) REQUIRE(::setsockopt(fd.value(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0);
    net::note_closing(fd.value());
    fd.reset();
    CHECK(net::count_left_behind() == (politely ? 1 : 0));
    CHECK(net::count_left_behind() == 0);  // each is asked about once
  }
  base::UniqueFd open = connected(peer.port());
  net::note_closing(open.value());
  CHECK(net::count_left_behind() == 0);  // not closed after all
  base::UniqueFd udp(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  net::note_closing(udp.value());
  net::note_closing(-1);
  CHECK(net::count_left_behind() == 0);
}

TEST_CASE("neither streams nor HTTP leave a connection behind") {
  const fakes::TcpPeer peer([](fakes::PeerSocket& socket) {
    socket.read_request();
    socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    socket.wait_for_close();
  });
  loop::EventLoop loop;
  net::AresResolver resolver(loop);
  net::StreamDialer dialer(loop, resolver);
  net::count_left_behind();
  {
    net::Connected connected;
    const auto connecting =
        dialer.connect({.host = "127.0.0.1", .port = peer.port(), .deadline = loop.now() + std::chrono::seconds{5}},
                       [&](net::Connected c) { connected = std::move(c); });
    REQUIRE(fakes::run_until(loop, [&] { return connected.stream != nullptr; }));
  }
  {
    http::CurlHttpClient http(loop, resolver);
    bool answered = false;
    http::HttpRequest request;
    request.url = peer.url();
    request.deadline = loop.now() + std::chrono::seconds{5};
    const auto asking = http.request(std::move(request), [&](http::HttpResponse response) {
      answered = true;
      CHECK(response.status == 200);
    });
    REQUIRE(fakes::run_until(loop, [&] { return answered; }));
  }
  CHECK(peer.accepted() == 2);
  CHECK(net::count_left_behind() == 0);
}
