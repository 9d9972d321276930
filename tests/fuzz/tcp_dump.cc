// What the kernel answers about its sockets (sock_diag), cut and damaged in ways that it never would.
#include "net/tcp_dump.h"
#include "fuzz/fuzz.h"

void fuzz::one_input(std::string_view bytes) {
  std::size_t sockets = 0;
  const auto part = net::read_dump(bytes, [&](const net::DiagSocket& socket) {
    ++sockets;
    socket.address_text();
    socket.peer_text();
  });
  require(sockets * 88 <= bytes.size(), "each socket has a message of its own");
  require(part.has_value() || !part.error().text.empty(), "an error says what it is");
}
