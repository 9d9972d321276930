#include "probe/host/socket_tally.h"

#include <algorithm>
#include <utility>

#include "probe/common/values.h"
#include "probe/host/accept_queue.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;
using net::TcpState;

std::string in_words(base::Duration d) {
  // Whole seconds say enough of a long wait.
  if (d >= std::chrono::seconds{2}) return base::format_duration(std::chrono::floor<std::chrono::seconds>(d));
  return base::format_duration(std::chrono::floor<base::Millis>(d));
}

// The value that `part` of them do not exceed.
std::uint32_t quantile(std::vector<std::uint32_t>& values, double part) {
  const auto at = static_cast<std::ptrdiff_t>(part * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

std::size_t at(TcpState state) { return static_cast<std::size_t>(state); }

std::string one_or_many(std::uint64_t count, const char* one, const char* many) {
  return std::to_string(count) + (count == 1 ? one : many);
}

}  // namespace

const std::vector<NamedState>& counted_states() {
  static const std::vector<NamedState> states{
      {TcpState::established, "established"}, {TcpState::syn_recv, "syn_recv"},     {TcpState::fin_wait1, "fin_wait1"},
      {TcpState::fin_wait2, "fin_wait2"},     {TcpState::close_wait, "close_wait"}, {TcpState::last_ack, "last_ack"},
      {TcpState::closing, "closing"}};
  return states;
}

SocketTally::SocketTally(const SocketsSettings& settings, Waits& waits, base::Instant now)
    : settings_(settings), waits_(waits), now_(now) {
  for (const int port : settings.ports) ports_.push_back({.number = port});
}

void SocketTally::take(const net::DiagSocket& socket) {
  const auto port = std::find_if(ports_.begin(), ports_.end(), [&](const Port& p) { return p.number == socket.port; });
  if (port == ports_.end()) return;
  if (socket.is(TcpState::listen))
    port->listening.push_back(
        {socket.address_text(), socket.port, socket.receive_queue, socket.send_queue, socket.v6_only});
  else take_connection(socket, *port);
}

void SocketTally::take_connection(const net::DiagSocket& socket, Port& port) {
  if (socket.state >= port.by_state.size()) return;
  ++port.by_state[socket.state];
  const std::uint64_t unread = unread_bytes(socket);
  port.unread_bytes += unread;
  port.unacknowledged_bytes += socket.send_queue;
  if (!socket.counts) return;
  if (socket.counts->retransmitting) ++port.retransmitting;
  if (socket.is(TcpState::established)) port.round_trips_us.push_back(socket.counts->round_trip_us);
  if (!is_waiting(exchange_of(socket))) return;

  const base::Duration waited = waits_.waited(socket, now_, look_);
  ++port.waiting;
  port.longest_wait = std::max(port.longest_wait, waited);
  if (settings_.stalled_after.count() == 0 || waited < settings_.stalled_after) return;
  ++port.stalled;
  if (unread > 0) ++unread_;
  if (socket.inode == 0) ++unaccepted_;
  if (socket.is(TcpState::close_wait)) ++given_up_;
  if (waited < longest_wait_) return;
  longest_wait_ = waited;
  longest_waiting_ = written(socket.peer_text(), socket.peer_port);
}

std::uint64_t SocketTally::Port::open() const {
  return by_state[at(TcpState::established)] + by_state[at(TcpState::close_wait)];
}

std::string SocketTally::where() const {
  std::string out;
  for (const Port& port : ports_) out += (out.empty() ? ":" : ", :") + std::to_string(port.number);
  return out;
}

std::string SocketTally::stalled_text(std::uint64_t stalled, std::uint64_t open) const {
  std::string text = std::to_string(stalled) + " of " + one_or_many(open, " connection to ", " connections to ") +
                     where() + (stalled == 1 ? " waits" : " wait") + " for an answer, " +
                     (stalled == 1 ? "from " : "the oldest, from ") + longest_waiting_ + ", for " +
                     in_words(longest_wait_);
  if (unaccepted_ > 0) text += "; " + one_or_many(unaccepted_, " is", " are") + " not accepted";
  if (unread_ > unaccepted_) text += "; " + one_or_many(unread_, " has", " have") + " unread bytes";
  if (given_up_ > 0) text += "; " + one_or_many(given_up_, " peer has", " peers have") + " given up";
  text += "; stalled_after is " + base::format_duration(settings_.stalled_after);
  if (settings_.max_stalled > 0) text += ", max_stalled is " + std::to_string(settings_.max_stalled);
  return text;
}

Outcome SocketTally::judge() {
  waits_.keep(std::move(look_));
  std::vector<net::ListeningSocket> listening;
  std::string deaf;
  std::uint64_t open = 0;
  std::uint64_t waiting = 0;
  std::uint64_t stalled = 0;
  for (const Port& port : ports_) {
    listening.insert(listening.end(), port.listening.begin(), port.listening.end());
    if (port.listening.empty()) deaf += (deaf.empty() ? ":" : ", :") + std::to_string(port.number);
    open += port.open();
    waiting += port.waiting;
    stalled += port.stalled;
  }
  const net::ListeningSocket* worst = fullest(listening);
  const bool too_many = stalled > static_cast<std::uint64_t>(settings_.max_stalled);
  Outcome outcome;
  if (!deaf.empty()) {
    outcome =
        Outcome::failure(Reason::refused, "no socket listens on " + deaf +
                                              "; those of other network namespaces, as of containers, are not seen");
  } else if (worst->fill() >= settings_.max_fill) {
    outcome = Outcome::failure(Reason::queue_saturated, saturated_text(*worst, settings_.max_fill) +
                                                            (too_many ? "; " + stalled_text(stalled, open) : ""));
  } else if (too_many) {
    outcome = Outcome::failure(Reason::requests_stalled, stalled_text(stalled, open));
  } else {
    outcome = Outcome::success(one_or_many(open, " connection to ", " connections to ") + where() + ", " +
                               std::to_string(waiting) + (waiting == 1 ? " waits" : " wait") + " for an answer; " +
                               written(worst->address, worst->port) + ": " + places_text(*worst));
  }
  for (Port& port : ports_) measure(port, outcome);
  return outcome;
}

void SocketTally::measure(Port& port, Outcome& outcome) const {
  const std::string number = std::to_string(port.number);
  const auto put = [&](const char* name, double value) {
    outcome.measurements.push_back({name, value, {{"port", number}}});
  };
  std::uint64_t length = 0;
  std::uint64_t limit = 0;
  for (const net::ListeningSocket& listener : port.listening) length += listener.waiting, limit += listener.limit;
  put("probe_sockets_listening", static_cast<double>(port.listening.size()));
  put("probe_sockets_queue_length", static_cast<double>(length));
  put("probe_sockets_queue_limit", static_cast<double>(limit));
  put("probe_sockets_queue_fill_ratio", port.listening.empty() ? 0 : fullest(port.listening)->fill());
  for (const NamedState& state : counted_states())
    outcome.measurements.push_back({"probe_sockets_connections",
                                    static_cast<double>(port.by_state[at(state.state)]),
                                    {{"port", number}, {"state", state.name}}});
  put("probe_sockets_waiting", static_cast<double>(port.waiting));
  put("probe_sockets_stalled", static_cast<double>(port.stalled));
  put("probe_sockets_longest_wait_seconds", base::seconds(port.longest_wait));
  put("probe_sockets_unread_bytes", static_cast<double>(port.unread_bytes));
  put("probe_sockets_unacknowledged_bytes", static_cast<double>(port.unacknowledged_bytes));
  put("probe_sockets_retransmitting", static_cast<double>(port.retransmitting));
  if (port.round_trips_us.empty()) return;
  for (const auto& [part, name] : {std::pair{0.5, "0.5"}, std::pair{0.99, "0.99"}})
    outcome.measurements.push_back({"probe_sockets_rtt_seconds",
                                    static_cast<double>(quantile(port.round_trips_us, part)) / 1e6,
                                    {{"port", number}, {"quantile", name}}});
}

}  // namespace probe
