// From transitions to people: group, wait a moment, drop what was said already or is silenced (a named reason), queue
// durably, send, retry with backoff and jitter until it is through or no longer of use. Loop thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "config/node.h"
#include "model/action_report.h"
#include "model/alert.h"
#include "notify/notifier.h"
#include "notify/silences.h"
#include "state/state.h"

namespace notify {

struct ReceiverSpec {
  std::string name;
  std::vector<std::pair<std::string, std::string>> match;  // labels an alert must have; empty: all
  base::Millis group_wait{0};                              // collect for so long before the first send
  base::Millis timeout{10'000};
  bool send_resolved = true;
  std::unique_ptr<const Notifier> notifier;
};

std::vector<ReceiverSpec> parse_receivers(const std::vector<config::Node>& nodes, config::Errors& errors);

struct Options {
  std::string node, external_url;
  model::Labels external_labels;
  std::uint64_t seed = 0;
  const Silences* silences = nullptr;  // null: nothing is silenced
};

struct Listener {
  // result: sent, retried, parked (a permanent refusal), dropped, silenced. For counters; and the log.
  std::function<void(const std::string& receiver, const std::string& result, const std::string& text)> on_result;
};

struct ReceiverStatus {
  std::string name, type;
  std::size_t queued = 0;
  std::string last_error;
  std::optional<base::WallTime> last_sent;
};

class Notifications {
 public:
  // Reads the queue that was left from `state` and goes on sending.
  Notifications(Options options, Context context, state::State& state, Listener listener);
  ~Notifications();

  void replace(std::vector<ReceiverSpec> receivers);
  void on_transitions(const std::vector<model::AlertTransition>& transitions);
  // A recovery started, acted or ended: sent with the next message about its service, at once when it ended.
  void on_recovery(const model::RecoveryReport& report);
  // A message of its own, outside any rule (the alert action, exhaustion).
  void page(const std::string& service, const std::string& text);
  // A silence began or ended: what it held back, and still fires, is told now.
  void on_silences();
  std::vector<ReceiverStatus> statuses() const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace notify
