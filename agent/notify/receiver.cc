#include "notify/receiver.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "loop/scheduler.h"
#include "notify/recovery_running.h"
#include "state/state.h"

namespace notify {

using state::Change;
using state::Table;

Receiver::Receiver(ReceiverSpec spec, Common& common) : spec_(std::move(spec)), common_(common) {}

void Receiver::open() {
  if (messages())
    outbox_ = std::make_unique<Outbox>(spec_.name, spec_.id, common_.context, common_.state, common_.options.random,
                                       outbox_events());
  const std::string queue = Outbox::prefix(spec_.id), group_key_prefix = group_prefix(spec_.id);
  const std::map<std::string, std::string> left = common_.state.read(Table::notifications);
  for (const auto& [key, text] : left) {
    if (id_of(key) != spec_.id) continue;
    restore_heard(key, text);
    if (outbox_ && key.starts_with(queue)) outbox_->restore(key, text);
    else if (key.starts_with(queue)) write({Change::remove(Table::notifications, key)});  // it was another type
    if (!key.starts_with(group_key_prefix)) continue;
    if (auto group = parse_group(text)) {
      Watched& w = groups_[group_name(group->route, group->labels)];
      w.group = *std::move(group);
      if (w.group.told_anybody()) w.flushed = common_.context.scheduler.now();
    } else {
      base::log::error("what a receiver knows of a group is lost: its record is unreadable",
                       {{"receiver", spec_.name}, {"error", group.error().text}});
    }
  }
  if (outbox_) outbox_->use(spec_.notifier.get(), spec_.timeout);
  else open_feeds();
  find_strays();
}

void Receiver::use(ReceiverSpec spec) {
  feeds_.clear();  // they send with the notifier that goes
  if (outbox_) outbox_->use(spec.notifier.get(), spec.timeout);
  spec_ = std::move(spec);
  if (!outbox_) open_feeds();
  find_strays();
  for (const auto& [key, w] : groups_) look_again(key);
}

void Receiver::settle(const std::map<model::Labels, model::Alert>& known) {
  const base::WallTime now = common_.context.scheduler.wall_now();
  for (auto& [key, w] : groups_) {
    for (auto& [labels, alert] : w.group.alerts) {
      if (alert.state != model::AlertState::firing || alert.name() == kPage || alert.name() == kRecoveryRunning)
        continue;
      const auto there = known.find(labels);
      if (there != known.end() && there->second.state == model::AlertState::firing) continue;
      alert.state = model::AlertState::inactive;
      alert.resolved_at = there == known.end() ? now : there->second.resolved_at.value_or(now);
    }
    look_again(key);
  }
  std::vector<const model::Alert*> firing;
  for (const auto& [labels, alert] : known)
    if (alert.state == model::AlertState::firing) firing.push_back(&alert);
  on_alerts(firing);
}

void Receiver::on_alerts(const std::vector<const model::Alert*>& alerts) {
  std::set<std::string> touched;
  for (const model::Alert* alert : alerts) {
    std::set<std::string> keys = strays_with(*alert);
    if (!by_incident() || alert->service().empty()) {
      const model::Labels outward = common_.outward(*alert);
      for (const Route* route : routes(outward)) {
        const Group& group = watched(*route, outward).group;
        keys.insert(group_name(group.route, group.labels));
      }
    }
    for (const std::string& key : keys) groups_.at(key).group.alerts.insert_or_assign(alert->labels, *alert);
    touched.merge(keys);
  }
  for (const std::string& key : touched) look_or_wait(key);
}

void Receiver::on_recovery(const model::RecoveryReport& report) {
  if (!spec_.notifier->tells_recoveries()) return;
  std::vector<std::string> keys;
  for (const auto& [key, w] : groups_) {
    const auto& alerts = w.group.alerts;
    const bool concerned = std::any_of(alerts.begin(), alerts.end(), [&](const auto& entry) {
      const model::Alert& a = entry.second;
      return a.state == model::AlertState::firing || a.resolved_at.value_or(a.active_at) >= report.started;
    });
    if (w.group.is_about(report.service) && concerned && !expected(key, w.group).empty()) keys.push_back(key);
  }
  for (const std::string& key : keys) look(key, Cause::recovery_ended);
}

void Receiver::on_kept_back() {
  std::vector<std::string> concerned;
  for (const auto& [key, w] : groups_)
    if (w.group.silenced != kept_back_in(w.group).all) concerned.push_back(key);
  for (const std::string& key : concerned) look_or_wait(key);
}

std::string Receiver::id_of(const std::string& key) {
  const std::size_t first = key.find('/'), last = key.rfind('/');
  if (first == std::string::npos || last <= first) return "";
  return key.substr(first + 1, last - first - 1);
}

// ---- status, records

void Receiver::discard(DropReason reason) {
  if (outbox_) outbox_->discard(reason);
}

ReceiverStatus Receiver::status() const {
  ReceiverStatus out{spec_.name, spec_.notifier->type(), 0, "", std::nullopt};
  if (outbox_) {
    out.waiting = outbox_->size() + owed_.size();
    out.last_error = outbox_->reach().last_error();
    out.last_sent = outbox_->reach().last_taken();
  }
  for (const auto& one : feeds_) {
    out.waiting += one->owed();
    if (one->reach().failing()) out.last_error = one->reach().last_error();
    out.last_sent = std::max(out.last_sent, one->reach().last_taken());
  }
  return out;
}

std::string Receiver::record_key(const Group& group) const {
  return fmt::format("{}{:016x}", group_prefix(spec_.id),
                     group.route == "{}" ? group.labels.hash() : group.labels.with("__route__", group.route).hash());
}

Change Receiver::record(const Group& group) const {
  return Change::put(Table::notifications, record_key(group), to_json(group));
}

// The state says what is wrong with the disk; who was told is then told again after a restart.
void Receiver::write(std::vector<Change> changes) {
  common_.state.commit(std::move(changes), [](base::Result<>) {});
}

// Reports about the alerts' services since the first of them began; oldest first.
std::vector<model::RecoveryReport> Receiver::recoveries_of(const Group& group) const {
  std::vector<model::RecoveryReport> out;
  base::WallTime since = base::WallTime::max();
  for (const auto& [labels, alert] : group.alerts) since = std::min(since, alert.active_at);
  for (const auto& [service, reports] : common_.recoveries) {
    if (!group.is_about(service)) continue;
    for (const model::RecoveryReport& report : reports)
      if (!report.ended || report.started >= since - std::chrono::seconds{1}) out.insert(out.begin(), report);
  }
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.started < b.started; });
  return out;
}

Envelope Receiver::envelope(const std::string& route, const model::Labels& group) const {
  Envelope e;
  e.receiver = spec_.name;
  e.node = common_.options.node;
  e.external_url = common_.options.external_url;
  e.group_key = group_key(route, group);
  e.external_labels = common_.options.external_labels;
  e.group_labels = group;
  e.at = common_.context.scheduler.wall_now();
  e.resend = spec_.notifier->resend();
  return e;
}

void Receiver::result(SendResult what) const {
  if (common_.callbacks.on_result) common_.callbacks.on_result(spec_.name, "", what);
}

void Receiver::dropped(DropReason reason, std::size_t messages) const {
  base::log::debug(
      "notifications are left out",
      {{"receiver", spec_.name}, {"reason", std::string(to_string(reason))}, {"messages", fmt::to_string(messages)}});
  if (common_.callbacks.on_dropped) common_.callbacks.on_dropped(spec_.name, reason, messages);
}

}  // namespace notify
