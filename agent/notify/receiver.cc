#include "notify/receiver.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "loop/scheduler.h"
#include "state/state.h"

namespace notify {

using state::Change;
using state::Table;

namespace {

constexpr base::Millis kPageLasts{3600 * 1000};

void end_pages(Group& group, base::WallTime now) {
  for (auto& [labels, alert] : group.alerts)
    if (alert.name() == kPage && alert.state == model::AlertState::firing &&
        alert.fired_at.value_or(alert.active_at) + kPageLasts <= now) {
      alert.state = model::AlertState::inactive;
      alert.resolved_at = now;
    }
}

}  // namespace

Receiver::Receiver(ReceiverSpec spec, Common& common) : spec_(std::move(spec)), common_(common) {}

void Receiver::open() {
  if (messages())
    outbox_ =
        std::make_unique<Outbox>(spec_.name, common_.context, common_.state, common_.options.random, outbox_events());
  const std::string queue = Outbox::prefix(spec_.name), group_key_prefix = group_prefix(spec_.name);
  const std::map<std::string, std::string> left = common_.state.read(Table::notifications);
  for (const auto& [key, text] : left) {
    if (key.find('/', key.find('/') + 1) != key.rfind('/')) continue;
    restore_heard(key, text);
    if (outbox_ && key.starts_with(queue)) outbox_->restore(key, text);
    else if (key.starts_with(queue)) write({Change::remove(Table::notifications, key)});  // it was another type
    if (!key.starts_with(group_key_prefix)) continue;
    if (auto group = parse_group(text)) {
      const std::string name = group->labels.to_string();
      groups_[name].group = *std::move(group);
    } else {
      base::log::error("what a receiver knows of a group is lost: its record is unreadable",
                       {{"receiver", spec_.name}, {"error", group.error().text}});
    }
  }
  if (outbox_) outbox_->use(spec_.notifier.get(), spec_.timeout);
  else open_feeds();
}

void Receiver::use(ReceiverSpec spec) {
  feeds_.clear();  // they send with the notifier that goes
  if (outbox_) outbox_->use(spec.notifier.get(), spec.timeout);
  spec_ = std::move(spec);
  if (!outbox_) open_feeds();
  for (const auto& [key, w] : groups_) look_again(key);
}

void Receiver::settle(const std::map<model::Labels, model::Alert>& known) {
  const base::WallTime now = common_.context.scheduler.wall_now();
  for (auto& [key, w] : groups_) {
    for (auto& [labels, alert] : w.group.alerts) {
      if (alert.state != model::AlertState::firing || alert.name() == kPage) continue;
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

bool Receiver::wants(const model::Labels& outward) const {
  return std::all_of(spec_.match.begin(), spec_.match.end(),
                     [&](const auto& want) { return outward.get(want.first) == want.second; });
}

void Receiver::on_alerts(const std::vector<const model::Alert*>& alerts) {
  std::set<std::string> touched;
  for (const model::Alert* alert : alerts) {
    if (!wants(common_.outward(*alert))) continue;
    // One that it was told of before it heard of incidents is told to its end.
    const auto told = groups_.find(group_labels(*alert).to_string());
    const bool known = told != groups_.end() && told->second.group.alerts.contains(alert->labels);
    if (by_incident() && !alert->service().empty() && !known) continue;
    Watched& w = watched(*alert);
    w.group.alerts.insert_or_assign(alert->labels, *alert);
    touched.insert(w.group.labels.to_string());
  }
  for (const std::string& key : touched) look_or_wait(key);
}

Receiver::Watched& Receiver::watched(const model::Alert& alert) {
  const model::Labels labels = group_labels(alert);
  Watched& w = groups_[labels.to_string()];
  w.group.labels = labels;
  return w;
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
    if (w.group.labels.get("service") == report.service && concerned && !expected(key, w.group).empty())
      keys.push_back(key);
  }
  for (const std::string& key : keys) look(key, Cause::recovery_ended);
}

void Receiver::on_silences() {
  std::vector<std::string> concerned;
  for (const auto& [key, w] : groups_)
    if (w.group.silenced != silenced_in(w.group)) concerned.push_back(key);
  for (const std::string& key : concerned) look_or_wait(key);
}

std::set<std::uint64_t> Receiver::silenced_in(const Group& group) const {
  std::set<std::uint64_t> out;
  for (const auto& [labels, alert] : group.alerts)
    if (common_.silenced(alert)) out.insert(labels.hash());
  return out;
}

// ---- looking at a group

void Receiver::look_or_wait(const std::string& key) {
  const auto found = groups_.find(key);
  if (found == groups_.end() || found->second.wait) return;
  Watched& w = found->second;
  if (spec_.group_wait.count() == 0 || w.group.told_anybody() || (outbox_ && outbox_->waits(key)))
    return look(key, Cause::change);
  w.wait = common_.context.scheduler.after(spec_.group_wait, [this, key] {
    const loop::Handle own = std::move(groups_.at(key).wait);
    look(key, Cause::change);
  });
}

void Receiver::look(const std::string& key, Cause cause) {
  const auto found = groups_.find(key);
  if (found == groups_.end() || found->second.wait) return;
  Watched& w = found->second;
  end_pages(w.group, common_.context.scheduler.wall_now());
  const std::set<std::uint64_t> silenced_before = w.group.silenced;
  w.group.silence(silenced_in(w.group));
  if (w.group.silenced != silenced_before) write({record(w.group)});
  if (outbox_) say(key, w, cause);
  else feed(key, w, cause);
  arm(key);
}

void Receiver::look_again(const std::string& key) {
  again_.insert(key);
  if (soon_) return;
  soon_ = common_.context.scheduler.after({}, [this] {
    const loop::Handle own = std::move(soon_);
    for (const std::string& each : std::exchange(again_, {})) look(each, Cause::again);
    look_at_owed();
    look_at_owed_incidents();
  });
}

void Receiver::look_at_owed() {
  while (!owed_.empty() && outbox_->room(*owed_.begin())) {
    const std::string key = *owed_.begin();
    look(key, Cause::again);
    owed_.erase(key);
  }
}

// The next time the group needs a look, or its end.
void Receiver::arm(const std::string& key) {
  const auto found = groups_.find(key);
  Watched& w = found->second;
  const base::WallTime now = common_.context.scheduler.wall_now();
  std::set<std::uint64_t> keep;
  if (outbox_) {
    keep = expected(key, w.group).firing;
    keep.insert(w.group.told[kOne].firing.begin(), w.group.told[kOne].firing.end());
  }
  w.group.prune(now, keep);
  const bool waits =
      outbox_ ? outbox_->waits(key)
              : std::any_of(feeds_.begin(), feeds_.end(), [&](const auto& one) { return one->posting(key); });
  if (!waits && (w.group.alerts.empty() || (!w.group.told_anybody() && !w.group.fires()))) {
    if (common_.state.read(Table::notifications).contains(record_key(w.group)))
      write({Change::remove(Table::notifications, record_key(w.group))});
    for (const auto& one : feeds_)
      for (const auto& [labels, alert] : w.group.alerts) one->remove(labels);
    owed_.erase(key);
    groups_.erase(found);
    return;
  }
  base::WallTime next = base::WallTime::max();
  for (const auto& [labels, alert] : w.group.alerts) {
    if (alert.state != model::AlertState::firing)
      next = std::min(next, std::max(alert.resolved_at.value_or(alert.active_at) + Group::kKeepResolved,
                                     now + base::Millis{60'000}));
    else if (alert.name() == kPage) next = std::min(next, alert.fired_at.value_or(alert.active_at) + kPageLasts);
  }
  w.later.reset();
  if (next != base::WallTime::max())
    w.later = common_.context.scheduler.after(std::max(next - now, base::Millis{0}), [this, key] {
      const loop::Handle own = std::move(groups_.at(key).later);
      look(key, Cause::again);
    });
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
  return fmt::format("{}{:016x}", group_prefix(spec_.name), group.labels.hash());
}

Change Receiver::record(const Group& group) const {
  return Change::put(Table::notifications, record_key(group), to_json(group));
}

// The state says what is wrong with the disk; who was told is then told again after a restart.
void Receiver::write(std::vector<Change> changes) {
  common_.state.commit(std::move(changes), [](base::Result<>) {});
}

// Reports about the alerts' service since the first of them began; oldest first.
std::vector<model::RecoveryReport> Receiver::recoveries_of(const Group& group) const {
  std::vector<model::RecoveryReport> out;
  const auto found = common_.recoveries.find(std::string(group.labels.get("service")));
  if (found == common_.recoveries.end() || group.alerts.empty()) return out;
  base::WallTime since = base::WallTime::max();
  for (const auto& [labels, alert] : group.alerts) since = std::min(since, alert.active_at);
  for (const model::RecoveryReport& report : found->second)
    if (!report.ended || report.started >= since - std::chrono::seconds{1}) out.insert(out.begin(), report);
  return out;
}

Envelope Receiver::envelope(const model::Labels& group) const {
  Envelope e;
  e.receiver = spec_.name;
  e.node = common_.options.node;
  e.external_url = common_.options.external_url;
  e.group_key = group_key(group);
  e.external_labels = common_.options.external_labels;
  e.group_labels = group;
  e.at = common_.context.scheduler.wall_now();
  e.resend = spec_.notifier->resend();
  return e;
}

void Receiver::result(SendResult what) const {
  if (common_.listener.on_result) common_.listener.on_result(spec_.name, "", what);
}

void Receiver::dropped(DropReason reason, std::size_t messages) const {
  base::log::debug(
      "notifications are left out",
      {{"receiver", spec_.name}, {"reason", std::string(to_string(reason))}, {"messages", fmt::to_string(messages)}});
  if (common_.listener.on_dropped) common_.listener.on_dropped(spec_.name, reason, messages);
}

}  // namespace notify
