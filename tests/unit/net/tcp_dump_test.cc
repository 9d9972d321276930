// Reading sock_diag: messages from bytes, and real sockets through the kernel's filter.
#include "net/tcp_dump.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string>
#include <vector>

#include "fakes/diag_message.h"
#include "fakes/local_server.h"

namespace {

using net::DiagSocket;
using net::DumpPart;
using net::TcpState;

struct Read {
  explicit Read(std::string_view datagram)
      : part(net::read_dump(datagram, [this](const DiagSocket& socket) { sockets.push_back(socket); })) {}
  std::vector<DiagSocket> sockets;
  base::Result<DumpPart> part;
};

inet_diag_msg connection() {
  inet_diag_msg message{};
  message.idiag_family = AF_INET;
  message.idiag_state = static_cast<std::uint8_t>(TcpState::established);
  message.id.idiag_sport = htons(8081);
  message.id.idiag_dport = htons(51234);
  message.id.idiag_src[0] = htonl(0x7f000001);
  message.id.idiag_dst[0] = htonl(0x0a000007);
  message.id.idiag_cookie[0] = 5;
  message.id.idiag_cookie[1] = 1;
  message.idiag_rqueue = 17;
  message.idiag_wqueue = 3;
  message.idiag_uid = 33;
  message.idiag_inode = 4711;
  return message;
}

tcp_info counts() {
  tcp_info info{};
  info.tcpi_bytes_received = 120;
  info.tcpi_bytes_acked = 70;
  info.tcpi_bytes_sent = 80;
  info.tcpi_last_data_sent = 900;
  info.tcpi_last_data_recv = 400;
  info.tcpi_rtt = 250;
  info.tcpi_retransmits = 1;
  return info;
}

std::string info_attribute(std::size_t size = sizeof(tcp_info)) {
  return fakes::attribute(INET_DIAG_INFO, fakes::bytes_of(counts()).substr(0, size));
}

}  // namespace

TEST_CASE("a connection is read with its ends, queues and counts") {
  const Read read(fakes::socket_message(connection(), info_attribute()) + fakes::end_message());
  REQUIRE(read.part.has_value());
  CHECK(*read.part == DumpPart::last);
  REQUIRE(read.sockets.size() == 1);
  const DiagSocket& socket = read.sockets[0];
  CHECK(socket.is(TcpState::established));
  CHECK(socket.port == 8081);
  CHECK(socket.peer_port == 51234);
  CHECK(socket.address_text() == "127.0.0.1");
  CHECK(socket.peer_text() == "10.0.0.7");
  CHECK(socket.cookie == 0x1'0000'0005);
  CHECK(socket.receive_queue == 17);
  CHECK(socket.send_queue == 3);
  CHECK(socket.user == 33);
  CHECK(socket.inode == 4711);
  REQUIRE(socket.counts);
  CHECK(socket.counts->bytes_received == 120);
  CHECK(socket.counts->bytes_sent == 80);
  CHECK(socket.counts->last_sent == base::Millis{900});
  CHECK(socket.counts->last_received == base::Millis{400});
  CHECK(socket.counts->round_trip_us == 250);
  CHECK(socket.counts->retransmitting);
}

TEST_CASE("an older kernel's tcp_info is shorter, a later one's longer") {
  struct Row {
    std::string attributes;
    bool counts;
    std::uint64_t sent;
  };
  for (const Row& row : {
           Row{info_attribute() + fakes::attribute(999, "of a later kernel"), true, 80},
           Row{fakes::attribute(INET_DIAG_INFO, fakes::bytes_of(counts()) + std::string(64, 'x')), true, 80},
           // Linux 4.18: what was acknowledged is all that is known of what was sent.
           Row{info_attribute(offsetof(tcp_info, tcpi_bytes_sent)), true, 70},
           Row{info_attribute(offsetof(tcp_info, tcpi_bytes_received)), false, 0},
           Row{"", false, 0},
       }) {
    const Read read(fakes::socket_message(connection(), row.attributes));
    REQUIRE(read.part.has_value());
    CHECK(*read.part == DumpPart::more);
    REQUIRE(read.sockets.size() == 1);
    CHECK(read.sockets[0].counts.has_value() == row.counts);
    if (row.counts) CHECK(read.sockets[0].counts->bytes_sent == row.sent);
  }
}

TEST_CASE("addresses of both families, and an IPv4 peer of an IPv6 socket") {
  inet_diag_msg message = connection();
  message.idiag_family = AF_INET6;
  const auto set = [](std::uint32_t* words, const char* text) { REQUIRE(::inet_pton(AF_INET6, text, words) == 1); };
  set(message.id.idiag_src, "::1");
  set(message.id.idiag_dst, "2001:db8::7");
  const Read v6(fakes::socket_message(message));
  REQUIRE(v6.sockets.size() == 1);
  CHECK(v6.sockets[0].address_text() == "::1");
  CHECK(v6.sockets[0].peer_text() == "2001:db8::7");
  set(message.id.idiag_dst, "::ffff:10.0.0.7");
  const Read mapped(fakes::socket_message(message));
  REQUIRE(mapped.sockets.size() == 1);
  CHECK(mapped.sockets[0].peer_text() == "10.0.0.7");
  message.idiag_family = 99;
  const Read strange(fakes::socket_message(message));
  REQUIRE(strange.sockets.size() == 1);
  CHECK(strange.sockets[0].peer_text() == "");
}

TEST_CASE("what the kernel says instead of sockets, and what is cut short") {
  const std::string whole = fakes::socket_message(connection(), info_attribute());
  for (std::size_t size = 1; size < whole.size(); ++size) {
    CAPTURE(size);
    const Read cut(std::string_view(whole).substr(0, size));
    REQUIRE_FALSE(cut.part.has_value());
    CHECK(cut.part.error().kind == base::Kind::protocol);
    CHECK(cut.part.error().text == "cannot ask the kernel for its sockets: its answer is cut short");
    CHECK(cut.sockets.empty());
  }
  const Read after_one(whole + whole.substr(0, 20));
  CHECK_FALSE(after_one.part.has_value());
  CHECK(after_one.sockets.size() == 1);

  inet_diag_msg message = connection();
  const rtattr beyond{.rta_len = 400, .rta_type = INET_DIAG_INFO};
  CHECK_FALSE(Read(fakes::socket_message(message, fakes::bytes_of(beyond))).part.has_value());
  const rtattr nothing{.rta_len = 0, .rta_type = INET_DIAG_INFO};
  CHECK_FALSE(Read(fakes::socket_message(message, fakes::bytes_of(nothing))).part.has_value());
  CHECK_FALSE(Read(fakes::netlink_message(TCPDIAG_GETSOCK, "short")).part.has_value());

  struct Row {
    int code;
    base::Kind kind;
  };
  for (const Row& row : {Row{EPERM, base::Kind::permission}, Row{EMFILE, base::Kind::limit}}) {
    const Read refused(fakes::netlink_message(NLMSG_ERROR, fakes::bytes_of(-row.code)));
    REQUIRE_FALSE(refused.part.has_value());
    CHECK(refused.part.error().kind == row.kind);
  }
  CHECK_FALSE(Read(fakes::end_message(-EINVAL)).part.has_value());
  CHECK_FALSE(Read(fakes::end_message(std::numeric_limits<std::int32_t>::min())).part.has_value());
  CHECK(Read(fakes::netlink_message(NLMSG_NOOP, "")).part == DumpPart::more);
  CHECK(Read("").part == DumpPart::more);
}

TEST_CASE("the kernel leaves out sockets with other ports, however many are asked for") {
  std::vector<base::UniqueFd> listeners;
  std::vector<std::uint16_t> ports;
  for (int i = 0; i < 17; ++i) {
    int port = 0;
    listeners.push_back(fakes::listen_on_loopback(port));
    ports.push_back(static_cast<std::uint16_t>(port));
  }
  for (const std::size_t count : {1U, 2U, 3U, 16U}) {
    CAPTURE(count);
    std::vector<std::uint16_t> asked(ports.begin(), ports.begin() + static_cast<std::ptrdiff_t>(count));
    auto dump = net::TcpDump::open({.states = {TcpState::listen}, .ports = asked, .counts = true});
    REQUIRE_MESSAGE(dump.has_value(), dump.error().text);
    std::vector<std::uint16_t> found;
    const auto part = dump->read(std::numeric_limits<std::size_t>::max(), [&](const DiagSocket& socket) {
      found.push_back(socket.port);
      CHECK(socket.is(TcpState::listen));
      CHECK(socket.counts.has_value());
    });
    REQUIRE_MESSAGE(part.has_value(), part.error().text);
    CHECK(*part == DumpPart::last);
    std::sort(found.begin(), found.end());
    std::sort(asked.begin(), asked.end());
    CHECK(found == asked);
  }
}

TEST_CASE("a dump in parts is the same as all at once") {
  int port = 0;
  const base::UniqueFd listener = fakes::listen_on_loopback(port);
  const std::vector<std::uint16_t> ports{static_cast<std::uint16_t>(port)};
  auto dump = net::TcpDump::open({.states = {TcpState::listen}, .ports = ports});
  REQUIRE(dump.has_value());
  int sockets = 0;
  int parts = 1;
  for (;; ++parts) {
    const auto part = dump->read(1, [&](const DiagSocket&) { ++sockets; });
    REQUIRE(part.has_value());
    if (*part == DumpPart::last) break;
  }
  CHECK(sockets == 1);
  CHECK(parts >= 2);  // the end is a datagram of its own
}
