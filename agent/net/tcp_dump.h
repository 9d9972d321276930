// All TCP sockets of this network namespace, or those of some local ports, as the kernel has them (sock_diag): no
// connection, no privilege. Other network namespaces are not seen. A dump is read in parts, so that ten thousand
// connections need not be looked at in one turn of the loop. Any thread, one at a time.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "base/unique_fd.h"

namespace net {

// As the kernel numbers them.
enum class TcpState : std::uint8_t {
  established = 1,
  syn_sent,
  syn_recv,
  fin_wait1,
  fin_wait2,
  time_wait,
  close,
  close_wait,
  last_ack,
  listen,
  closing,
};

// What the kernel counts of one connection (tcp_info); the times are as old as the look, in steps of its clock (1 to
// 10 ms). Both are the age of the connection until data is sent or comes.
struct TcpCounts {
  std::uint64_t bytes_received = 0;  // in order, read or not; one more once the peer has closed
  std::uint64_t bytes_sent = 0;      // before Linux 4.19: those that the peer has acknowledged
  base::Millis last_sent{};          // since data was sent last
  base::Millis last_received{};      // since data came last
  std::uint32_t round_trip_us = 0;   // smoothed
  bool retransmitting = false;       // something was not acknowledged and is sent again
};

// The receive buffer of a socket: what was not read yet, as the kernel counts it, with its own overhead.
struct ReceiveBuffer {
  std::uint32_t bytes = 0;
  std::uint32_t limit = 0;
  std::uint32_t drops = 0;  // datagrams that found no room, since the socket was made
};

struct DiagSocket {
  int family = 0;                          // AF_INET or AF_INET6
  std::uint8_t state = 0;                  // a TcpState, or what a later kernel has
  std::uint16_t port = 0;                  // its own
  std::uint16_t peer_port = 0;             // 0 of one that listens
  std::array<std::uint32_t, 4> address{};  // in the order of the network; the first alone of AF_INET
  std::array<std::uint32_t, 4> peer{};
  std::uint64_t cookie = 0;  // names the socket as long as the system runs
  uid_t user = 0;
  std::uint64_t inode = 0;          // 0: no process has it, as before accept() or after close()
  std::uint64_t cgroup = 0;         // id of the control group (version 2) of who made it; 0: the kernel does not say
  std::uint32_t receive_queue = 0;  // bytes that are not read; of one that listens: connections that wait for accept()
  std::uint32_t send_queue = 0;     // bytes that the peer has not acknowledged; of one that listens: most that may wait
  bool v6_only = false;
  std::optional<TcpCounts> counts{};      // if they were asked for
  std::optional<ReceiveBuffer> buffer{};  // the same

  bool is(TcpState s) const { return state == static_cast<std::uint8_t>(s); }
  std::string address_text() const;  // "10.0.0.1", "::1", "::ffff:10.0.0.1"
  std::string peer_text() const;     // the same, but for an IPv4 peer of an IPv6 socket: "10.0.0.1"
};

using TakeSocket = std::function<void(const DiagSocket&)>;
enum class DumpPart { more, last };

// The messages of one datagram of the kernel. Errors: what the kernel says instead (`limit`, `permission` and so on by
// its errno), or a datagram that is cut short (`protocol`); the sockets before it were taken.
base::Result<DumpPart> read_dump(std::string_view datagram, const TakeSocket& take);
// At most so many datagrams of a dump that was asked for on `netlink`. Does not wait: the kernel writes a datagram when
// it is read.
base::Result<DumpPart> read_dump(int netlink, std::size_t datagrams, const TakeSocket& take);

// The kernel's own filter (INET_DIAG_REQ_BYTECODE) for sockets with one of these local ports.
std::vector<char> port_filter(const std::vector<std::uint16_t>& ports);

class TcpDump {
 public:
  struct Question {
    std::vector<TcpState> states{};
    std::vector<std::uint16_t> ports{};  // their own; empty: all
    bool counts = false;
  };
  // Errors: the kernel does not offer sock_diag, the sandbox forbids AF_NETLINK, descriptors or memory are used up.
  static base::Result<TcpDump> open(const Question& question);

  // Reads at most this many datagrams, of some 90 connections with their counts each: 0.1 ms. Does not wait.
  base::Result<DumpPart> read(std::size_t datagrams, const TakeSocket& take);

 private:
  explicit TcpDump(base::UniqueFd fd) : fd_(std::move(fd)) {}

  base::UniqueFd fd_;
};

}  // namespace net
