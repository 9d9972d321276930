#include "net/tcp_dump.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace net {
namespace {

constexpr const char* kWhat = "cannot ask the kernel for its sockets";

tl::unexpected<base::Error> cut_short() {
  return base::fail(base::Kind::protocol, std::string(kWhat) + ": its answer is cut short");
}

// The beginning of `bytes` as a T; zeros where there is less.
template <typename T>
T taken(std::string_view bytes) {
  T out{};
  std::memcpy(&out, bytes.data(), std::min(bytes.size(), sizeof out));
  return out;
}

// What is left behind the first `size` bytes and their padding to four.
std::string_view behind(std::string_view bytes, std::size_t size) {
  return bytes.substr(std::min(bytes.size(), (size + 3) & ~std::size_t{3}));
}

std::string text_of(int family, const std::array<std::uint32_t, 4>& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (::inet_ntop(family, address.data(), text.data(), text.size()) == nullptr) return "";
  return text.data();
}

// As much of tcp_info as this kernel has: it has grown at its end.
std::optional<TcpCounts> read_counts(std::string_view bytes) {
  if (bytes.size() < offsetof(tcp_info, tcpi_bytes_received) + sizeof(tcp_info::tcpi_bytes_received))
    return std::nullopt;
  const auto info = taken<tcp_info>(bytes);
  const bool knows_sent = bytes.size() >= offsetof(tcp_info, tcpi_bytes_sent) + sizeof(tcp_info::tcpi_bytes_sent);
  return TcpCounts{.bytes_received = info.tcpi_bytes_received,
                   .bytes_sent = knows_sent ? info.tcpi_bytes_sent : info.tcpi_bytes_acked,
                   .last_sent = base::Millis{info.tcpi_last_data_sent},
                   .last_received = base::Millis{info.tcpi_last_data_recv},
                   .round_trip_us = info.tcpi_rtt,
                   .retransmitting = info.tcpi_retrans > 0 || info.tcpi_retransmits > 0};
}

// The words of SK_MEMINFO_VARS; drops are counted since Linux 4.7.
std::optional<ReceiveBuffer> read_buffer(std::string_view bytes) {
  const auto words = taken<std::array<std::uint32_t, SK_MEMINFO_VARS>>(bytes);
  if (bytes.size() < (SK_MEMINFO_RCVBUF + 1) * sizeof words[0]) return std::nullopt;
  return ReceiveBuffer{words[SK_MEMINFO_RMEM_ALLOC], words[SK_MEMINFO_RCVBUF], words[SK_MEMINFO_DROPS]};
}

bool read_attributes(std::string_view bytes, DiagSocket& socket) {
  while (!bytes.empty()) {
    const auto attribute = taken<rtattr>(bytes);
    if (bytes.size() < sizeof attribute || attribute.rta_len < sizeof attribute || attribute.rta_len > bytes.size())
      return false;
    const std::string_view value = bytes.substr(sizeof attribute, attribute.rta_len - sizeof attribute);
    if (attribute.rta_type == INET_DIAG_SKV6ONLY && !value.empty()) socket.v6_only = value[0] != 0;
    if (attribute.rta_type == INET_DIAG_CGROUP_ID && value.size() == sizeof socket.cgroup)
      socket.cgroup = taken<std::uint64_t>(value);
    if (attribute.rta_type == INET_DIAG_INFO) socket.counts = read_counts(value);
    if (attribute.rta_type == INET_DIAG_SKMEMINFO) socket.buffer = read_buffer(value);
    bytes = behind(bytes, attribute.rta_len);
  }
  return true;
}

bool read_socket(std::string_view body, DiagSocket& socket) {
  if (body.size() < sizeof(inet_diag_msg)) return false;
  const auto message = taken<inet_diag_msg>(body);
  socket.family = message.idiag_family;
  socket.state = message.idiag_state;
  socket.port = ntohs(message.id.idiag_sport);
  socket.peer_port = ntohs(message.id.idiag_dport);
  std::copy(std::begin(message.id.idiag_src), std::end(message.id.idiag_src), socket.address.begin());
  std::copy(std::begin(message.id.idiag_dst), std::end(message.id.idiag_dst), socket.peer.begin());
  socket.cookie = message.id.idiag_cookie[0] | std::uint64_t{message.id.idiag_cookie[1]} << 32;
  socket.user = message.idiag_uid;
  socket.inode = message.idiag_inode;
  socket.receive_queue = message.idiag_rqueue;
  socket.send_queue = message.idiag_wqueue;
  return read_attributes(behind(body, sizeof message), socket);
}

// Of an error, and of the end of a dump: 0 or a negative errno.
base::Result<> read_errno(std::string_view body) {
  const auto code = taken<std::int32_t>(body);
  if (code >= 0) return {};
  constexpr int kMostErrno = 4095;
  return base::fail_errno(code >= -kMostErrno ? -code : EPROTO, kWhat);
}

template <typename T>
void put(std::vector<char>& out, const T& value) {
  const auto* bytes = reinterpret_cast<const char*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}

}  // namespace

std::string DiagSocket::address_text() const { return text_of(family, address); }

std::string DiagSocket::peer_text() const {
  const bool mapped = family == AF_INET6 && peer[0] == 0 && peer[1] == 0 && peer[2] == htonl(0xffff);
  return mapped ? text_of(AF_INET, {peer[3]}) : text_of(family, peer);
}

base::Result<DumpPart> read_dump(std::string_view datagram, const TakeSocket& take) {
  while (!datagram.empty()) {
    const auto header = taken<nlmsghdr>(datagram);
    if (datagram.size() < sizeof header || header.nlmsg_len < sizeof header || header.nlmsg_len > datagram.size())
      return cut_short();
    const std::string_view body = datagram.substr(sizeof header, header.nlmsg_len - sizeof header);
    if (header.nlmsg_type == NLMSG_DONE) {
      TRY_VOID(read_errno(body));
      return DumpPart::last;
    }
    if (header.nlmsg_type == NLMSG_ERROR) {
      TRY_VOID(read_errno(body));
    } else if (header.nlmsg_type == TCPDIAG_GETSOCK || header.nlmsg_type == SOCK_DIAG_BY_FAMILY) {
      DiagSocket socket;
      if (!read_socket(body, socket)) return cut_short();
      take(socket);
    }
    datagram = behind(datagram, header.nlmsg_len);
  }
  return DumpPart::more;
}

// For each port: at least it? at most it? then to the end, which takes the socket; else to the next port, and behind
// the last one beyond the end, which refuses it. The kernel accepts jumps to where the way of a "yes" comes by, and no
// others.
std::vector<char> port_filter(const std::vector<std::uint16_t>& ports) {
  constexpr std::size_t kOp = sizeof(inet_diag_bc_op);
  constexpr std::size_t kPort = 5 * kOp;  // two comparisons with a word for the port each, and a jump
  std::vector<char> out;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const bool last = i + 1 == ports.size();
    const std::size_t left = (ports.size() - i) * kPort - kOp;  // the last port needs no jump
    const auto offset = [](std::size_t bytes) { return static_cast<std::uint16_t>(bytes); };
    const auto compare = [&](std::uint8_t code, std::size_t no) {
      put(out, inet_diag_bc_op{.code = code, .yes = 2 * kOp, .no = offset(no)});
      put(out, inet_diag_bc_op{.code = 0, .yes = 0, .no = ports[i]});
    };
    compare(INET_DIAG_BC_S_GE, last ? left + kOp : kPort);
    compare(INET_DIAG_BC_S_LE, last ? left - kOp : kPort - 2 * kOp);
    if (!last) put(out, inet_diag_bc_op{.code = INET_DIAG_BC_JMP, .yes = kOp, .no = offset(left - 4 * kOp)});
  }
  return out;
}

// The older of the two requests: it has both families at once. The newer one has to be made for each, and each walks
// through the whole table of the kernel, which has hundreds of thousands of places on a large machine.
base::Result<TcpDump> TcpDump::open(const Question& question) {
  base::UniqueFd fd(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd) return base::fail_errno(errno, kWhat);
  inet_diag_req body{};
  if (question.counts) body.idiag_ext = 1U << (INET_DIAG_INFO - 1);
  for (const TcpState state : question.states) body.idiag_states |= 1U << static_cast<unsigned>(state);
  std::vector<char> filter;
  if (question.ports.size() == 1) body.id.idiag_sport = htons(question.ports.front());
  else filter = port_filter(question.ports);

  const std::size_t attribute = filter.empty() ? 0 : sizeof(rtattr) + filter.size();
  nlmsghdr header{};
  header.nlmsg_type = TCPDIAG_GETSOCK;
  header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + sizeof body + attribute);
  std::vector<char> message;
  put(message, header);
  put(message, body);
  if (!filter.empty()) {
    put(message, rtattr{.rta_len = static_cast<unsigned short>(attribute), .rta_type = INET_DIAG_REQ_BYTECODE});
    message.insert(message.end(), filter.begin(), filter.end());
  }
  if (::send(fd.value(), message.data(), message.size(), 0) < 0) return base::fail_errno(errno, kWhat);
  return TcpDump(std::move(fd));
}

base::Result<DumpPart> TcpDump::read(std::size_t datagrams, const TakeSocket& take) {
  return read_dump(fd_.value(), datagrams, take);
}

base::Result<DumpPart> read_dump(int netlink, std::size_t datagrams, const TakeSocket& take) {
  alignas(nlmsghdr) std::array<char, 32 * 1024> buffer;
  while (datagrams > 0) {
    const ssize_t size = ::recv(netlink, buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return base::fail_errno(errno, kWhat);
    if (static_cast<std::size_t>(size) > buffer.size()) return cut_short();
    --datagrams;
    TRY(const DumpPart part, read_dump({buffer.data(), static_cast<std::size_t>(size)}, take));
    if (part == DumpPart::last) return part;
  }
  return DumpPart::more;
}

}  // namespace net
