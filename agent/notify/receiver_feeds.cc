// A receiver whose targets hear the alerts again and again, each on its own.
#include <algorithm>
#include <utility>

#include "loop/scheduler.h"
#include "notify/receiver.h"
#include "notify/recovery_running.h"
#include "state/state.h"

namespace notify {

using state::Change;

void Receiver::open_feeds() {
  const std::vector<std::string> targets = spec_.notifier->targets();
  for (auto& [key, w] : groups_)  // of targets that are not told any more nothing is known
    std::erase_if(w.group.told, [&](const auto& entry) {
      return std::find(targets.begin(), targets.end(), entry.first) == targets.end();
    });
  for (std::size_t i = 0; i < targets.size(); ++i) {
    Feed::Events events;
    events.render = [this](const std::vector<model::Alert>& alerts) {
      return spec_.notifier->render(alerts, {}, envelope(Routing::everything().key, {}));
    };
    events.on_told = [this, target = targets[i]](const std::vector<Feed::Told>& alerts) { told(target, alerts); };
    events.on_result = [this, target = targets[i]](SendResult what) {
      if (common_.callbacks.on_result) common_.callbacks.on_result(spec_.name, target, what);
    };
    feeds_.push_back(std::make_unique<Feed>(spec_.name, *spec_.notifier, i, spec_.timeout, common_.context,
                                            common_.options.random, std::move(events)));
  }
}

// A target hears what fires, and for a while what resolved if it heard that it fired; nothing of what is silenced.
void Receiver::feed(const std::string& key, Watched& w, Cause cause) {
  bool held_back = false;
  for (const auto& one : feeds_) {
    const Notified& known = w.group.told[one->name()];
    for (const auto& [labels, alert] : w.group.alerts) {
      const std::uint64_t hash = labels.hash();
      const bool firing = alert.state == model::AlertState::firing;
      const bool heard = known.knows(hash);
      held_back = held_back || (firing && !known.firing.contains(hash) && w.group.silenced.contains(hash));
      if (!w.group.silenced.contains(hash) && (firing || (heard && spec_.send_resolved)))
        one->put(key, known.as_told(alert));
      else one->remove(labels);
    }
  }
  if (held_back && cause == Cause::change) result(SendResult::silenced);
}

void Receiver::on_recoveries_running(const std::map<model::Labels, model::Alert>& running) {
  if (messages()) return;
  std::set<std::string> touched;
  for (auto& [key, w] : groups_)
    for (auto& [labels, alert] : w.group.alerts) {
      if (alert.name() != kRecoveryRunning || alert.state != model::AlertState::firing || running.contains(labels))
        continue;
      alert.state = model::AlertState::inactive;
      alert.resolved_at = common_.context.scheduler.wall_now();
      touched.insert(key);
    }
  for (const auto& [labels, alert] : running) {
    Watched& w = watched(Routing::everything(), common_.outward(alert));
    w.group.alerts.insert_or_assign(labels, alert);
    touched.insert(group_name(w.group.route, w.group.labels));
  }
  for (const std::string& key : touched) look(key, Cause::change);
}

void Receiver::told(const std::string& target, const std::vector<Feed::Told>& alerts) {
  std::set<std::string> changed;
  for (const Feed::Told& each : alerts) {
    const auto found = groups_.find(each.group);
    if (found == groups_.end()) continue;
    look_again(each.group);  // it may have changed while the post was on its way
    if (each.fate == Fate::refused || each.fate == Fate::unreached) continue;
    Notified& known = found->second.group.told[target];
    const std::uint64_t hash = each.alert.hash();
    const bool fresh = (each.firing ? known.firing : known.resolved).insert(hash).second;
    const bool other = (each.firing ? known.resolved : known.firing).erase(hash) != 0;
    // It may not have taken a post that was not answered: then what it has certainly taken stands.
    const bool newer = each.firing && (each.fate == Fate::taken || !known.starts.contains(hash)) &&
                       std::exchange(known.starts[hash], each.start) != each.start;
    if (fresh || other || newer) changed.insert(each.group);
  }
  std::vector<Change> changes;
  for (const std::string& key : changed) changes.push_back(record(groups_.at(key).group));
  if (!changes.empty()) write(std::move(changes));
}

}  // namespace notify
