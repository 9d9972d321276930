// One receiver: the groups of alerts that are its business, what it knows of them, and how it gets to know the rest.
// Loop thread.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "notify/feed.h"
#include "notify/group.h"
#include "notify/incident/news.h"
#include "notify/notifications.h"
#include "notify/outbox.h"

namespace notify {

inline const std::string kPage = "FettlePage";  // alertname of messages that come from no rule
inline const std::string kOne;                  // the target of messages in Group::told

// What all receivers share. Outlives them.
struct Common {
  Options options;
  Context context;
  state::State& state;
  Listener listener;
  std::map<std::string, std::deque<model::RecoveryReport>> recoveries{};  // by service, newest first

  model::Labels outward(const model::Alert& alert) const { return options.external_labels.merged(alert.labels); }
  bool silenced(const model::Alert& alert) const {
    return options.silences != nullptr && !options.silences->of(outward(alert)).empty();
  }
};

class Receiver {
 public:
  Receiver(ReceiverSpec spec, Common& common);

  // Reads its records and starts to send.
  void open();
  // Another configuration of the same type.
  void use(ReceiverSpec spec);
  void settle(const std::map<model::Labels, model::Alert>& known);
  // Alerts that began to fire, or ended. Those that are not for this receiver are left out.
  void on_alerts(const std::vector<const model::Alert*>& alerts);
  void on_recovery(const model::RecoveryReport& report);
  void on_silences();
  void page(const model::Alert& alert);
  void discard(DropReason reason);
  // anyway: nobody else wants to hear of it.
  enum class Wanted { by_its_labels, anyway };
  void on_incident(const model::Incident& incident, Wanted wanted);

  // It hears of the faults of services as incidents, not as alerts.
  bool by_incident() const { return messages() && spec_.tell != Tell::all; }
  bool wants(const model::Incident& incident) const;
  bool wants(const model::Labels& outward) const;
  const Notifier& notifier() const { return *spec_.notifier; }
  ReceiverStatus status() const;

  static std::string group_prefix(const std::string& receiver) { return "group/" + receiver + "/"; }

 private:
  struct Watched {
    Group group;
    loop::Handle wait;   // group_wait before the first message
    loop::Handle later;  // the end of the group
  };

  bool messages() const { return spec_.notifier->resend().count() == 0; }
  Watched& watched(const model::Alert& alert);
  std::string record_key(const Group& group) const;
  state::Change record(const Group& group) const;
  void write(std::vector<state::Change> changes);
  Envelope envelope(const model::Labels& group) const;
  std::set<std::uint64_t> silenced_in(const Group& group) const;
  std::vector<model::RecoveryReport> recoveries_of(const Group& group) const;
  void result(SendResult what) const;
  void dropped(DropReason reason, std::size_t messages) const;

  // Now, or when the group has been collected.
  void look_or_wait(const std::string& key);
  void look(const std::string& key, Cause cause);
  void look_again(const std::string& key);  // in a later turn
  void look_at_owed();
  void arm(const std::string& key);

  // A receiver of messages.
  Outbox::Events outbox_events();
  Notified expected(const std::string& key, const Group& group) const;
  Verdict decide_now(const std::string& key, const Group& group, Cause cause) const;
  std::vector<model::Alert> worth_telling(const Group& group, const Notified& known) const;
  void say(const std::string& key, Watched& w, Cause cause);
  std::vector<state::Change> taken(const std::string& key, const Notified& known);

  // What it hears of incidents.
  enum class Left { sent, dropped };
  std::string heard_key(const std::string& incident) const;
  void restore_heard(const std::string& key, const std::string& record);
  bool silenced(const model::Incident& incident) const;
  std::string render(const model::Incident& incident, News what) const;
  void said(const std::string& incident, model::IncidentMessage message) const;
  void message_left(const std::string& id, Left how);
  void look_at_owed_incidents();

  // A receiver that hears its alerts again and again.
  void open_feeds();
  void feed(const std::string& key, Watched& w, Cause cause);
  void told(const std::string& target, const std::vector<Feed::Told>& alerts);

  ReceiverSpec spec_;
  Common& common_;
  std::map<std::string, Watched> groups_;  // by the group's labels as text
  std::unique_ptr<Outbox> outbox_;
  std::vector<std::unique_ptr<Feed>> feeds_;
  std::map<std::string, Heard> heard_;                     // by incident
  std::map<std::string, model::Incident> owed_incidents_;  // with news for which there was no place, by id
  std::set<std::string> owed_;                             // groups with news for which there was no place
  std::set<std::string> again_;                            // groups to be looked at in the next turn
  loop::Handle soon_;
};

}  // namespace notify
