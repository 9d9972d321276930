// Who speaks next on a connection of a request-response protocol, by what the kernel counts of it: whether the peer
// waits for an answer, without a look at what is said. TLS and others whose messages nothing answers are told apart as
// far as bytes and times go. Pure.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <utility>

#include "base/time.h"
#include "net/tcp_dump.h"

namespace probe {

enum class Exchange {
  none,           // the peer has sent nothing yet, or the connection is on its way to its end
  answered,       // the service spoke last
  waiting_first,  // the peer has sent something and the service nothing at all
  waiting_next,   // the peer has sent something after the service's last word
};

Exchange exchange_of(const net::DiagSocket& connection);
inline bool is_waiting(Exchange e) { return e == Exchange::waiting_first || e == Exchange::waiting_next; }

// Bytes that lie unread in its queue, without the end of the stream, which the kernel counts as one.
std::uint64_t unread_bytes(const net::DiagSocket& connection);

// How long peers have been waiting. One that goes on sending to a service that reads nothing looks to the kernel as if
// it had begun to wait just now: those are remembered from look to look.
class Waits {
 public:
  struct Unread {
    std::uint64_t read = 0;  // bytes that the service has read since the connection was made
    std::uint64_t sent = 0;
    base::Instant since{};
  };
  using Look = std::unordered_map<std::uint64_t, Unread>;  // by cookie

  // Of a connection that is_waiting(). What is to be remembered of it is put into `look`.
  base::Duration waited(const net::DiagSocket& connection, base::Instant now, Look& look) const;
  // The end of a look: what was not in it is forgotten.
  void keep(Look look) { last_ = std::move(look); }

 private:
  Look last_;
};

}  // namespace probe
