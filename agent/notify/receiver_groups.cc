// A receiver's groups: to which one an alert belongs, and when it is looked at.
#include <algorithm>

#include "loop/scheduler.h"
#include "notify/receiver.h"
#include "notify/recovery_running.h"
#include "state/state.h"

namespace notify {

using state::Change;
using state::Table;

namespace {

constexpr base::Millis kPageLasts{3600 * 1000};
constexpr base::Millis kMinute{60'000};

// Alerts that come from no rule: those who send them say when they end.
bool is_own(const model::Alert& alert) { return alert.name() == kPage || alert.name() == kRecoveryRunning; }

void end_own_alerts(Group& group, base::WallTime now) {
  for (auto& [labels, alert] : group.alerts) {
    if (alert.name() == kRecoveryRunning && alert.resolved_at.value_or(now) <= now)
      alert.state = model::AlertState::inactive;
    if (alert.name() == kPage && alert.state == model::AlertState::firing &&
        alert.fired_at.value_or(alert.active_at) + kPageLasts <= now) {
      alert.state = model::AlertState::inactive;
      alert.resolved_at = now;
    }
  }
}

}  // namespace

// ---- routes

// An Alertmanager has routes of its own: it is posted everything, as Prometheus does, unless a route leads to it.
std::vector<const Route*> Receiver::routes(const model::Labels& outward) const {
  const Routing& routing = *common_.routing;
  if (messages()) return routing.routes(spec_.name, outward);
  if (routing.leads_to(spec_.name) && routing.routes(spec_.name, outward).empty()) return {};
  return {&Routing::everything()};
}

const Route* Receiver::route_of(const Group& group) const {
  return messages() ? common_.routing->find(group.route, spec_.name) : &Routing::everything();
}

std::vector<std::string> Receiver::group_names(const model::Alert& alert) const {
  std::vector<std::string> out;
  if (by_incident() && !alert.service().empty()) return out;
  const model::Labels outward = common_.outward(alert);
  for (const Route* route : routes(outward)) out.push_back(group_name(route->key, route->group_labels(outward)));
  return out;
}

Receiver::Watched& Receiver::watched(const Route& route, const model::Labels& outward) {
  const model::Labels labels = route.group_labels(outward);
  Watched& w = groups_[group_name(route.key, labels)];
  w.group.route = route.key;
  w.group.labels = labels;
  return w;
}

void Receiver::find_strays() {
  strays_.clear();
  for (auto& [key, w] : groups_) {
    const std::string& name = key;
    const auto leaves = [&](const model::Alert& alert) {
      const std::vector<std::string> there = group_names(alert);
      return !is_own(alert) && std::find(there.begin(), there.end(), name) == there.end();
    };
    const auto told = [&group = w.group](std::uint64_t hash) {
      return std::any_of(group.told.begin(), group.told.end(), [&](const auto& one) { return one.second.knows(hash); });
    };
    std::erase_if(w.group.alerts, [&](const auto& entry) {
      if (!leaves(entry.second)) return false;
      if (!told(entry.first.hash()) && !(outbox_ && outbox_->waits(name))) return true;
      strays_.insert(name);
      return false;
    });
  }
}

std::set<std::string> Receiver::strays_with(const model::Alert& alert) const {
  std::set<std::string> out;
  for (const std::string& key : strays_)
    if (const auto found = groups_.find(key);
        found != groups_.end() && found->second.group.alerts.contains(alert.labels))
      out.insert(key);
  return out;
}

// ---- what keeps alerts back

bool Receiver::muted(const Route* route) const {
  return route != nullptr && common_.routing->muted(*route, common_.context.scheduler.wall_now());
}

Receiver::KeptBack Receiver::kept_back_in(const Group& group) const {
  KeptBack out;
  const bool route_muted = messages() && muted(route_of(group));
  for (const auto& [labels, alert] : group.alerts) {
    const bool silenced = common_.silenced(alert);
    if (!silenced && !route_muted && !(messages() && common_.inhibited(alert))) continue;
    out.all.insert(labels.hash());
    if (!silenced) out.muted.insert(labels.hash());
  }
  return out;
}

// ---- looking at a group

void Receiver::look_or_wait(const std::string& key) {
  const auto found = groups_.find(key);
  if (found == groups_.end() || found->second.wait) return;
  Watched& w = found->second;
  const base::Duration left = until_flush(w);
  if (left.count() <= 0) return flush(key, Cause::change);
  w.wait = common_.context.scheduler.after(left, [this, key] {
    const loop::Handle own = std::move(groups_.at(key).wait);
    flush(key, Cause::change);
  });
}

void Receiver::flush(const std::string& key, Cause cause) {
  Watched& w = groups_.at(key);
  const base::Instant now = common_.context.scheduler.now();
  // Something has changed for which there is nothing to say, such as an inhibition that ended: what is due to be said
  // once more at this time is said.
  if (const auto repeat = repetition(key, w); cause == Cause::change && repeat && *repeat <= now) cause = Cause::repeat;
  w.wait.reset();  // news that waited for this time
  w.flushed = now;
  look(key, cause);
}

base::Duration Receiver::until_flush(const Watched& w) const {
  const Route* route = route_of(w.group);
  const base::Instant now = common_.context.scheduler.now();
  if (route == nullptr) return {};  // it is told to its end
  if (w.flushed) return next_flush(w, now) - now;
  // What fires for longer than group_wait (an agent that restarts) has waited.
  const base::WallTime waited_since = common_.context.scheduler.wall_now() - route->group_wait;
  const auto& alerts = w.group.alerts;
  const bool has_waited = std::any_of(alerts.begin(), alerts.end(), [&](const auto& entry) {
    return base::wall_from_ms(start_ms(entry.second)) < waited_since;
  });
  return has_waited ? base::Duration{} : base::Duration{route->group_wait};
}

// The first of the group's times of a message, group_interval apart, that is not before `earliest`.
base::Instant Receiver::next_flush(const Watched& w, base::Instant earliest) const {
  const Route* route = route_of(w.group);
  if (route == nullptr || route->group_interval.count() == 0 || !w.flushed) return earliest;
  const base::Duration interval{route->group_interval};
  const auto steps = std::max<std::int64_t>((earliest - *w.flushed + interval - base::Duration{1}) / interval, 1);
  return *w.flushed + steps * interval;
}

void Receiver::look(const std::string& key, Cause cause) {
  const auto found = groups_.find(key);
  if (found == groups_.end() || found->second.wait) return;
  Watched& w = found->second;
  end_own_alerts(w.group, common_.context.scheduler.wall_now());
  const std::set<std::uint64_t> before = w.group.silenced;
  KeptBack now = kept_back_in(w.group);
  w.group.silence(std::move(now.all), std::move(now.muted));
  if (w.group.silenced != before) write({record(w.group)});
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

// ---- the next look

void Receiver::arm(const std::string& key) {
  Watched& w = groups_.at(key);
  std::set<std::uint64_t> keep;
  if (outbox_) {
    keep = expected(key, w.group).firing;
    keep.insert(w.group.told[kOne].firing.begin(), w.group.told[kOne].firing.end());
  }
  w.group.prune(common_.context.scheduler.wall_now(), keep);
  const bool waits =
      outbox_ ? outbox_->waits(key)
              : std::any_of(feeds_.begin(), feeds_.end(), [&](const auto& one) { return one->posting(key); });
  if (!waits && (w.group.alerts.empty() || (!w.group.told_anybody() && !w.group.fires()))) return forget(key);
  if (over(key, w)) w.flushed.reset();
  arm_later(key, w);
}

// All of it has ended and was told: what fires next is a new group, which waits for group_wait.
bool Receiver::over(const std::string& key, const Watched& w) const {
  return outbox_ && !w.group.fires() && expected(key, w.group).firing.empty() && route_of(w.group) != nullptr;
}

void Receiver::forget(const std::string& key) {
  const auto found = groups_.find(key);
  const Group& group = found->second.group;
  if (common_.state.read(Table::notifications).contains(record_key(group)))
    write({Change::remove(Table::notifications, record_key(group))});
  for (const auto& one : feeds_)
    for (const auto& [labels, alert] : group.alerts) one->remove(labels);
  owed_.erase(key);
  strays_.erase(key);
  groups_.erase(found);
}

void Receiver::arm_later(const std::string& key, Watched& w) {
  const base::Instant now = common_.context.scheduler.now();
  const base::WallTime wall_now = common_.context.scheduler.wall_now();
  base::WallTime next = base::WallTime::max();
  for (const auto& [labels, alert] : w.group.alerts) {
    if (alert.state != model::AlertState::firing)
      next = std::min(next,
                      std::max(alert.resolved_at.value_or(alert.active_at) + Group::kKeepResolved, wall_now + kMinute));
    else if (alert.name() == kPage) next = std::min(next, alert.fired_at.value_or(alert.active_at) + kPageLasts);
    else if (alert.name() == kRecoveryRunning) next = std::min(next, alert.resolved_at.value_or(wall_now));
  }
  base::Instant when = base::Instant::max();
  if (next != base::WallTime::max()) when = now + std::max(next - wall_now, base::Millis{0});
  const std::optional<base::Instant> repeat = repetition(key, w);
  if (repeat) when = std::min(when, *repeat);
  const Route* route = route_of(w.group);
  if (route != nullptr && w.group.fires() && messages() &&
      !(route->mute_time_intervals.empty() && route->active_time_intervals.empty()))
    when = std::min(when, next_flush(w, now + kMinute - base::Millis{base::to_ms(wall_now) % kMinute.count()}));
  w.later.reset();
  if (when == base::Instant::max()) return;
  w.later = common_.context.scheduler.at(when, [this, key, repeats = repeat == when] {
    const loop::Handle own = std::move(groups_.at(key).later);
    if (repeats) flush(key, Cause::repeat);
    else look(key, Cause::again);
  });
}

// When it is told once more although there is no news; as Alertmanager does, at the first time of a message at which
// more than repeat_interval has gone since the last.
std::optional<base::Instant> Receiver::repetition(const std::string& key, const Watched& w) const {
  const Route* route = route_of(w.group);
  if (!outbox_ || route == nullptr || route->repeat_interval.count() == 0 || strays_.contains(key) ||
      outbox_->waits(key) || !w.group.fires())
    return std::nullopt;
  const auto told = w.group.told.find(kOne);
  if (told == w.group.told.end() || told->second.firing.empty() || told->second.at == 0) return std::nullopt;
  const base::WallTime due = base::wall_from_ms(told->second.at) + route->repeat_interval + base::Millis{1};
  const base::Instant now = common_.context.scheduler.now();
  return next_flush(w, now + std::max(due - common_.context.scheduler.wall_now(), base::Millis{0}));
}

}  // namespace notify
