#include "web/client_watch.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <initializer_list>

#include "base/unique_fd.h"
#include "fakes/http_get.h"

namespace {

template <typename Name>
int port_of(int fd, Name name) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  REQUIRE(name(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

// A client and the server's side of its connection, on ports of the kernel's choice.
struct Connection {
  Connection() {
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(listener.value(), reinterpret_cast<sockaddr*>(&here), sizeof here) == 0);
    REQUIRE(::listen(listener.value(), 4) == 0);
    server_port = port_of(listener.value(), ::getsockname);
    client = fakes::connect_tcp(server_port);
    accepted.reset(::accept(listener.value(), nullptr, nullptr));
    REQUIRE(accepted);
    client_port = port_of(accepted.value(), ::getpeername);
  }

  base::UniqueFd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  base::UniqueFd client, accepted;
  int server_port = 0, client_port = 0;
};

}  // namespace

TEST_CASE("a client is there until it closes, wholly or its sending side") {
  for (const bool wholly : {true, false}) {
    CAPTURE(wholly);
    Connection one;
    web::ClientWatch watch(one.client_port, one.server_port);
    CHECK_FALSE(watch.left());
    if (wholly) one.client.reset();
    else ::shutdown(one.client.value(), SHUT_WR);
    CHECK(watch.left());
  }
}

TEST_CASE("who cannot be found is not taken for gone") {
  const Connection one;
  web::ClientWatch nobody(1, 2);
  CHECK_FALSE(nobody.left());
}
