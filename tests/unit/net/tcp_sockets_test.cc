#include "net/tcp_sockets.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "fakes/local_server.h"

TEST_CASE("a socket that listens and the two ends of a connection are there, with who made them") {
  int port = 0;
  const base::UniqueFd listener = fakes::listen_on_loopback(port);
  struct stat status {};
  REQUIRE(::fstat(listener.value(), &status) == 0);
  const auto listening = net::tcp_sockets(net::TcpState::listen, static_cast<std::uint16_t>(port));
  REQUIRE(listening.has_value());
  REQUIRE(listening->size() == 1);
  const net::TcpSocket& socket = listening->front();
  CHECK(socket.address == "127.0.0.1");
  CHECK(socket.port == port);
  CHECK(socket.user == ::getuid());
  CHECK(socket.inode == status.st_ino);

  const base::UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  REQUIRE(::connect(client.value(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  const auto all = net::tcp_sockets(net::TcpState::established);
  REQUIRE(all.has_value());
  CHECK(std::any_of(all->begin(), all->end(), [&](const net::TcpSocket& each) {
    return each.peer == "127.0.0.1" && each.peer_port == port && each.user == ::getuid();
  }));
  CHECK(std::any_of(all->begin(), all->end(), [&](const net::TcpSocket& each) { return each.port == port; }));
}
