// From transitions to people: group, wait a moment, leave out what the receiver knows or what is silenced, and send
// until it is taken. What a receiver knows is what it has taken, never what was put in a queue; so each alert that
// fires is told, and the end of each that was told, whatever happens to the agent or the receiver between. Loop thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "config/node.h"
#include "model/action_report.h"
#include "model/alert.h"
#include "model/incident.h"
#include "notify/incident/news.h"
#include "notify/notifier.h"
#include "notify/result.h"
#include "notify/route/routing.h"
#include "notify/silences.h"

namespace state {
class State;
}  // namespace state

namespace notify {

// One integration of one receiver: an item under its webhook_configs, say.
struct ReceiverSpec {
  std::string name;  // the receiver's, as routes and metrics name it
  std::string id;    // its own, of its records: "ops webhook[0]"
  base::Millis timeout{10'000};
  bool send_resolved = true;
  Tell tell = Tell::all;
  std::string fallback;            // the receiver that is told what this one does not take; "": none
  base::Millis fallback_after{0};  // how long it has not been taken
  std::unique_ptr<const Notifier> notifier;
};

// All that the configuration says about notifications.
struct Configuration {
  std::vector<ReceiverSpec> receivers;
  std::size_t names = 0;  // how many receivers that is
  std::shared_ptr<const Routing> routing = std::make_shared<Routing>();
};

// Never stops at the first mistake: receivers that have one are left out.
Configuration parse_settings(const config::AgentConfig& config, config::Errors& errors);
const std::vector<config::KeyReference>& receiver_reference();

struct Options {
  std::string node, external_url;
  model::Labels external_labels;
  base::Random random;                 // ids of messages come from it: from entropy but in tests
  const Silences* silences = nullptr;  // null: nothing is silenced
  model::Labels own{};                 // job and instance, as this agent's samples have them
};

// For counters.
struct Callbacks {
  // `target` is "" where no target has a part.
  std::function<void(const std::string& receiver, const std::string& target, SendResult)> on_result;
  // A message about this group, or this incident, is to be sent: it is in the queue of the receiver.
  std::function<void(const std::string& receiver, const std::string& group, const std::string& message)> on_decided;
  std::function<void(const std::string& receiver, DropReason, std::size_t messages)> on_dropped;
  // A message about an incident is in the queue; and of any message, by its id, that it is not there any more.
  std::function<void(const std::string& incident, const model::IncidentMessage&)> on_message = {};
  std::function<void(const std::string& message, std::string_view fate)> on_fate = {};
};

struct ReceiverStatus {
  std::string name, type;   // of one integration: a receiver has several of them
  std::size_t waiting = 0;  // messages; or alerts, of each target that has not taken them
  std::string last_error;   // "" when all is taken
  std::optional<base::WallTime> last_sent;
};

class Notifications {
 public:
  // Reads what was left from `state`. Nothing is sent before settle().
  Notifications(Options options, Context context, state::State& state, Callbacks callbacks);
  ~Notifications();

  // What waits is tried at once, and what was set aside is said again: the receiver may have been mended.
  void replace(Configuration configuration);
  // Once after the start: the alerts as the rules know them, by labels, resolved ones included. Rules and receivers are
  // made durable one after the other; what the one has and the other has not is told now.
  void settle(const std::map<model::Labels, model::Alert>& known);
  void on_transitions(const std::vector<model::AlertTransition>& transitions);
  // A recovery started, acted or ended: sent with the next message about its service, at once when it ended.
  void on_recovery(const model::RecoveryReport& report);
  // A message of its own, outside any rule (the alert action, exhaustion).
  // in_incident: receivers that hear of incidents hear of it there.
  enum class Grouping { in_incident, alone };
  // The ids of the integrations that are told.
  std::vector<std::string> page(const std::string& service, const std::string& text,
                                Grouping grouping = Grouping::alone);
  // Of these integrations: which has something that it has not taken, and why.
  std::map<std::string, std::string> untaken(const std::vector<std::string>& ids) const;
  // It is another than before. Those of `announced` ones are over, and what receivers knew of them is forgotten.
  void on_incident(const model::Incident& incident);
  // A silence began or ended: what it held back, and still fires, is told now.
  void on_silences();
  std::vector<ReceiverStatus> statuses() const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace notify
