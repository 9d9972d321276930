// Whether there is anything to say about a group that was not said already. Pure; the answer has a name.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "model/alert.h"

namespace notify {

// What a receiver knows of a group, by Labels::hash() (Prometheus' fingerprint).
struct Notified {
  std::set<std::uint64_t> firing;
  std::set<std::uint64_t> resolved;
  std::map<std::uint64_t, std::int64_t> starts{};  // of both: the startsAt that it was told, in ms; none: not kept
  std::int64_t at = 0;                             // when it took a message last, in ms; 0: not kept
  bool empty() const { return firing.empty() && resolved.empty(); }
  bool knows(std::uint64_t alert) const { return firing.contains(alert) || resolved.contains(alert); }
  void forget(std::uint64_t alert);
  // Since when the alert fires is what the receiver was told when it took that it does. An alert that ended and fired
  // again meanwhile has another start: nobody took that, so nobody is told the end of it.
  model::Alert as_told(model::Alert alert) const;
  bool told_start_of(const model::Alert& alert) const;
};

std::int64_t start_ms(const model::Alert& alert);  // its startsAt

// again: nothing changed, but what could not be said before may be said now. repeat: what fires on is due to be said
// once more.
enum class Cause { change, recovery_ended, again, repeat };
enum class SendResolved { no, yes };

enum class Verdict {
  first,              // send: nothing was said yet and something fires
  new_firing,         // send: an alert fires that the receiver does not know as firing, or not since then
  all_resolved,       // send: the last of them resolved
  some_resolved,      // send: one of them resolved, others fire on
  recovery_ended,     // send: a recovery of this service ended
  repeated,           // send: it fires on since repeat_interval
  nothing_fires,      // silent: never told, and nothing to tell
  resolved_unwanted,  // silent: send_resolved is off
  unchanged,          // silent: said already
  silenced,           // silent: what would be said is under a silence
};

Verdict decide(const std::vector<model::Alert>& alerts, const Notified& last, Cause cause, SendResolved send_resolved);
bool sends(Verdict verdict);
std::string_view to_string(Verdict verdict);

// What a message with these alerts says.
Notified said(const std::vector<model::Alert>& alerts);

}  // namespace notify
