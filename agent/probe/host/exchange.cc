#include "probe/host/exchange.h"

#include <algorithm>

namespace probe {
namespace {

using net::TcpState;

// The end of a stream is one more byte in the kernel's counts.
std::uint64_t end_of_stream(const net::DiagSocket& connection) { return connection.is(TcpState::close_wait) ? 1 : 0; }

std::uint64_t without_end(std::uint64_t bytes, const net::DiagSocket& connection) {
  return bytes - std::min(bytes, end_of_stream(connection));
}

}  // namespace

std::uint64_t unread_bytes(const net::DiagSocket& connection) {
  return without_end(connection.receive_queue, connection);
}

Exchange exchange_of(const net::DiagSocket& connection) {
  // Who closed their side may still wait; who gave up had waited.
  const bool open = connection.is(TcpState::established) || connection.is(TcpState::close_wait);
  if (!open || !connection.counts) return Exchange::none;
  const net::TcpCounts& counts = *connection.counts;
  if (without_end(counts.bytes_received, connection) == 0) return Exchange::none;
  if (counts.bytes_sent == 0) return Exchange::waiting_first;
  if (counts.last_received < counts.last_sent) return Exchange::waiting_next;
  // Within one tick of the kernel's clock: unread bytes came after the answer. Without them it is not known, and an
  // answer that was followed by nothing is by far the more frequent.
  if (counts.last_received == counts.last_sent && unread_bytes(connection) > 0) return Exchange::waiting_next;
  return Exchange::answered;
}

base::Duration Waits::waited(const net::DiagSocket& connection, base::Instant now, Look& look) const {
  const net::TcpCounts& counts = *connection.counts;
  const base::Duration since_last = counts.last_received;
  const std::uint64_t unread = unread_bytes(connection);
  if (unread == 0) return since_last;
  const std::uint64_t received = without_end(counts.bytes_received, connection);
  Unread seen{.read = received - std::min(received, unread), .sent = counts.bytes_sent, .since = now - since_last};
  const auto known = last_.find(connection.cookie);
  if (known != last_.end() && known->second.read == seen.read && known->second.sent == seen.sent)
    seen.since = std::min(seen.since, known->second.since);
  look.insert_or_assign(connection.cookie, seen);
  return now - seen.since;
}

}  // namespace probe
