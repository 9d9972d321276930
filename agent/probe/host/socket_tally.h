// What the connections of a service look like, counted in one look at the kernel's table, and the verdict on it. Pure
// but for the clock that it is given.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/outcome.h"
#include "net/listening_sockets.h"
#include "net/tcp_dump.h"
#include "probe/host/exchange.h"

namespace probe {

struct SocketsSettings {
  std::vector<int> ports{};
  base::Millis stalled_after{10'000};
  int max_stalled = 0;
  double max_fill = 0.8;
};

// The states that a look asks for, and their names as ss and node_exporter write them. What is left of a connection
// that both sides have closed (time_wait) is none of the service's.
struct NamedState {
  net::TcpState state;
  const char* name;
};
const std::vector<NamedState>& counted_states();

class SocketTally {
 public:
  // `waits` remembers from look to look; both outlive the tally.
  SocketTally(const SocketsSettings& settings, Waits& waits, base::Instant now);

  void take(const net::DiagSocket& socket);
  // Once, after the last socket.
  model::Outcome judge();

 private:
  struct Port {
    int number = 0;
    std::vector<net::ListeningSocket> listening{};
    std::array<std::uint64_t, 16> by_state{};
    std::uint64_t waiting = 0;  // of them `stalled` for stalled_after or longer
    std::uint64_t stalled = 0;
    std::uint64_t unread_bytes = 0;
    std::uint64_t unacknowledged_bytes = 0;
    std::uint64_t retransmitting = 0;
    base::Duration longest_wait{};
    std::vector<std::uint32_t> round_trips_us{};

    std::uint64_t open() const;  // that the service could answer on
  };
  void take_connection(const net::DiagSocket& socket, Port& port);
  void measure(Port& port, model::Outcome& outcome) const;
  std::string where() const;
  std::string stalled_text(std::uint64_t stalled, std::uint64_t open) const;

  const SocketsSettings& settings_;
  Waits& waits_;
  Waits::Look look_;
  base::Instant now_;
  std::vector<Port> ports_;
  std::uint64_t unread_ = 0;      // stalled, and the service has not read all that they sent
  std::uint64_t unaccepted_ = 0;  // of these, not even accepted
  std::uint64_t given_up_ = 0;    // stalled, and the peer has closed its side
  base::Duration longest_wait_{};
  std::string longest_waiting_;  // address and port of that peer
};

}  // namespace probe
