// One integration of a receiver: the groups of alerts that are its business, what it knows of them, and how it gets to
// know the rest. Groups, their waits and their repetitions are Alertmanager's (dispatch and notify, version 0.25), but
// that the end of a recovery is told at once. Loop thread.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "notify/feed.h"
#include "notify/group.h"
#include "notify/incident/news.h"
#include "notify/notifications.h"
#include "notify/outbox.h"
#include "notify/route/inhibit.h"
#include "notify/route/routing.h"

namespace notify {

inline const std::string kPage = "FettlePage";  // alertname of messages that come from no rule
inline const std::string kOne;                  // the target of messages in Group::told

// What all receivers share. Outlives them.
struct Common {
  Options options;
  Context context;
  state::State& state;
  Callbacks callbacks;
  std::map<std::string, std::deque<model::RecoveryReport>> recoveries{};  // by service, newest first

  std::shared_ptr<const Routing> routing = std::make_shared<Routing>();
  Inhibitor inhibitor{};  // knows all alerts that fire

  model::Labels outward(const model::Labels& labels) const { return options.external_labels.merged(labels); }
  model::Labels outward(const model::Alert& alert) const { return outward(alert.labels); }
  bool silenced(const model::Alert& alert) const {
    return options.silences != nullptr && !options.silences->of(outward(alert)).empty();
  }
  bool inhibited(const model::Alert& alert) const {
    return inhibitor.has_rules() && inhibitor.inhibits(outward(alert));
  }
};

class Receiver {
 public:
  Receiver(ReceiverSpec spec, Common& common);

  // Reads its records and starts to send.
  void open();
  // Another configuration of the same type, or other routes.
  void use(ReceiverSpec spec);
  void settle(const std::map<model::Labels, model::Alert>& known);
  // Alerts that began to fire, or ended. Those that are not for this receiver are left out.
  void on_alerts(const std::vector<const model::Alert*>& alerts);
  void on_recovery(const model::RecoveryReport& report);
  // What keeps alerts back is another than before: silences, alerts that inhibit.
  void on_kept_back();
  void page(const model::Alert& alert);
  void discard(DropReason reason);
  // anyway: nobody else wants to hear of it.
  enum class Wanted { by_its_labels, anyway };
  void on_incident(const model::Incident& incident, Wanted wanted);

  // All recoveries that run, for a receiver that inhibits by them: it hears which began and which ended.
  void on_recoveries_running(const std::map<model::Labels, model::Alert>& running);

  // It hears of the faults of services as incidents, not as alerts.
  bool by_incident() const { return messages() && spec_.tell != Tell::all; }
  bool wants(const model::Incident& incident) const;
  bool wants(const model::Labels& outward) const { return !routes(outward).empty(); }
  const std::string& name() const { return spec_.name; }
  // Since when it has not taken what it is to hear of that; none: it has, or no attempt has failed yet.
  std::optional<base::WallTime> untaken_since(const model::Incident& incident) const;
  std::optional<base::WallTime> untaken_since(const model::Alert& alert) const;
  // Is told that alert in the place of a receiver that does not take it.
  void stand_in(const model::Alert& alert);
  const Notifier& notifier() const { return *spec_.notifier; }
  ReceiverStatus status() const;

  static std::string group_prefix(const std::string& id) { return "group/" + id + "/"; }
  // Of a record of Table::notifications, kind/<id>/<rest>: the integration that it belongs to.
  static std::string id_of(const std::string& key);

 private:
  struct Watched {
    Group group;
    loop::Handle wait;                     // news, until the group's next message: group_wait, then group_interval
    loop::Handle later;                    // a look without news: the end of the group, a repetition, a time interval
    std::optional<base::Instant> flushed;  // the last time of a message; nothing before the first one
  };
  struct KeptBack {
    std::set<std::uint64_t> all, muted;  // as in Group
  };

  bool messages() const { return spec_.notifier->resend().count() == 0; }
  // By which it hears of an alert with these labels.
  std::vector<const Route*> routes(const model::Labels& outward) const;
  const Route* route_of(const Group& group) const;  // null: it is not there any more
  std::vector<std::string> group_names(const model::Alert& alert) const;
  Watched& watched(const Route& route, const model::Labels& outward);
  // Alerts that would go elsewhere now leave their groups, but those that were told stay there until they end.
  void find_strays();
  std::set<std::string> strays_with(const model::Alert& alert) const;
  std::string record_key(const Group& group) const;
  state::Change record(const Group& group) const;
  void write(std::vector<state::Change> changes);
  Envelope envelope(const std::string& route, const model::Labels& group) const;
  bool muted(const Route* route) const;
  KeptBack kept_back_in(const Group& group) const;
  std::vector<model::RecoveryReport> recoveries_of(const Group& group) const;
  void result(SendResult what) const;
  void dropped(DropReason reason, std::size_t messages) const;

  // Now, or at the group's next time of a message.
  void look_or_wait(const std::string& key);
  void flush(const std::string& key, Cause cause);
  base::Duration until_flush(const Watched& w) const;
  base::Instant next_flush(const Watched& w, base::Instant earliest) const;
  void look(const std::string& key, Cause cause);
  void look_again(const std::string& key);  // in a later turn
  void look_at_owed();
  void arm(const std::string& key);
  bool over(const std::string& key, const Watched& w) const;
  void forget(const std::string& key);
  void arm_later(const std::string& key, Watched& w);
  std::optional<base::Instant> repetition(const std::string& key, const Watched& w) const;

  // A receiver of messages.
  Outbox::Events outbox_events();
  Notified expected(const std::string& key, const Group& group) const;
  Verdict decide_now(const std::string& key, const Group& group, Cause cause) const;
  std::vector<model::Alert> worth_telling(const Group& group, const Notified& known) const;
  void say(const std::string& key, Watched& w, Cause cause);
  std::vector<state::Change> taken(const std::string& key, const Notified& known);

  // For its fallback: since when it has not taken that alert of that group, as untaken_since().
  std::optional<base::WallTime> untaken_message(const std::string& key, const Group& group,
                                                const model::Alert& alert) const;
  std::optional<base::WallTime> untaken_post(const Group& group, const model::Alert& alert) const;

  // What it hears of incidents.
  enum class Left { sent, dropped };
  static std::string incident_lane(const std::string& incident) { return "incident " + incident; }
  std::string heard_key(const std::string& incident) const;
  void restore_heard(const std::string& key, const std::string& record);
  bool kept_back(const model::Incident& incident) const;
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
  std::set<std::string> muted_pages_;                      // incidents whose page is due and was kept back
  std::set<std::string> strays_;                           // groups with alerts that would go elsewhere now
  std::set<std::string> owed_;                             // groups with news for which there was no place
  std::set<std::string> again_;                            // groups to be looked at in the next turn
  loop::Handle soon_;
};

}  // namespace notify
