// A receiver of messages: what is said about a group, and when.
#include <algorithm>

#include "base/log.h"
#include "loop/scheduler.h"
#include "notify/receiver.h"
#include "state/state.h"

namespace notify {
namespace {

SendResolved send_resolved(const ReceiverSpec& spec) {
  return spec.send_resolved ? SendResolved::yes : SendResolved::no;
}

}  // namespace

using state::Change;

Outbox::Events Receiver::outbox_events() {
  Outbox::Events events;
  events.on_taken = [this](const std::string& key, const Notified& known) { return taken(key, known); };
  events.on_left = [this](const std::string& id, bool sent) { message_left(id, sent ? Left::sent : Left::dropped); };
  events.on_pushed = [this](const std::string& key, const std::string& id) {
    if (common_.callbacks.on_decided) common_.callbacks.on_decided(spec_.name, key, id);
  };
  events.on_less = [this](const std::string& key) { look_again(key); };
  events.on_result = [this](SendResult what) {
    if (common_.callbacks.on_result) common_.callbacks.on_result(spec_.name, spec_.notifier->targets().front(), what);
  };
  events.on_dropped = [this](DropReason reason, std::size_t messages) { dropped(reason, messages); };
  return events;
}

// What the receiver will know when it has taken what waits.
Notified Receiver::expected(const std::string& key, const Group& group) const {
  if (outbox_)
    if (const Notified* waiting = outbox_->expected(key)) return *waiting;
  const auto told = group.told.find(kOne);
  return told == group.told.end() ? Notified{} : told->second;
}

Verdict Receiver::decide_now(const std::string& key, const Group& group, Cause cause) const {
  return decide(group.audible(), group.audible_part(expected(key, group)), cause, send_resolved(spec_));
}

// What fires and what resolved since the last message; when only a recovery ended after that, the alerts that it was
// about.
std::vector<model::Alert> Receiver::worth_telling(const Group& group, const Notified& known) const {
  const auto resolved = [](const model::Alert& a) { return a.state != model::AlertState::firing; };
  std::vector<model::Alert> out = group.audible();
  if (!spec_.send_resolved) std::erase_if(out, resolved);
  std::erase_if(out, [&](const model::Alert& a) { return resolved(a) && !known.knows(a.labels.hash()); });
  for (model::Alert& alert : out) alert = known.as_told(std::move(alert));
  std::vector<model::Alert> news = out;
  std::erase_if(news, [&](const model::Alert& a) { return resolved(a) && known.resolved.contains(a.labels.hash()); });
  return news.empty() ? out : news;
}

void Receiver::say(const std::string& key, Watched& w, Cause cause) {
  Group& group = w.group;
  Verdict verdict = decide_now(key, group, cause);
  if (!sends(verdict) && cause == Cause::change &&
      sends(decide(group.list(), expected(key, group), cause, send_resolved(spec_)))) {
    verdict = Verdict::silenced;
    result(SendResult::silenced);
  }
  // What nobody has is replaced by what is true now: a message that was refused, or all those for which there is no
  // room.
  std::size_t replaced = 0;
  const bool news = sends(verdict) || verdict == Verdict::resolved_unwanted;
  if ((news && outbox_->refused(key)) || (sends(verdict) && !outbox_->room(key))) {
    replaced = outbox_->withdraw(key);
    verdict = decide_now(key, group, cause);
  }
  base::log::debug("notification decided", {{"receiver", spec_.name},
                                            {"group", group_key(group.route, group.labels)},
                                            {"verdict", std::string(to_string(verdict))}});
  const Notified known = expected(key, group);
  const std::vector<model::Alert> told = worth_telling(group, known);
  if (sends(verdict) && !told.empty()) {
    if (replaced > 0) dropped(DropReason::superseded, replaced);
    if (!outbox_->room(key)) {
      owed_.insert(key);
      return;
    }
    owed_.erase(key);
    const Notified after = group.after_telling(known);
    group.again.clear();
    const Envelope e = envelope(group.route, group.labels);
    Message message{"msg_" + common_.options.random.identifier(), spec_.notifier->render(told, recoveries_of(group), e),
                    e.at};
    outbox_->push(key, std::move(message), after, {record(group)});
    return;
  }
  // Nobody was told that it fires, so nobody is told that it does not.
  if (const bool was_owed = owed_.erase(key) != 0; verdict == Verdict::nothing_fires && (was_owed || replaced > 0))
    dropped(DropReason::resolved_untold, std::max<std::size_t>(replaced, 1));
  else if (replaced > 0) dropped(DropReason::superseded, replaced);
  if (verdict == Verdict::resolved_unwanted && !outbox_->waits(key)) {
    const std::int64_t at = group.told[kOne].at;
    group.told[kOne] = group.after_telling(known);
    group.told[kOne].at = at;
    write({record(group)});
  }
}

std::vector<Change> Receiver::taken(const std::string& key, const Notified& known) {
  const auto found = groups_.find(key);
  if (found == groups_.end()) return {};
  Notified& told = found->second.group.told[kOne];
  told = known;
  told.at = base::to_ms(common_.context.scheduler.wall_now());
  return {record(found->second.group)};
}

void Receiver::page(const model::Alert& alert) {
  if (common_.silenced(alert)) return result(SendResult::silenced);
  if (!outbox_) {
    Watched& w = watched(Routing::everything(), common_.outward(alert));
    w.group.alerts.insert_or_assign(alert.labels, alert);
    return look(group_name(w.group.route, w.group.labels), Cause::change);
  }
  Group once;
  once.labels = Routing::everything().group_labels(common_.outward(alert));
  once.alerts.emplace(alert.labels, alert);
  const std::string key = once.labels.to_string();
  if (!outbox_->room(key))
    if (const std::size_t replaced = outbox_->withdraw(key); replaced > 0) dropped(DropReason::superseded, replaced);
  const Envelope e = envelope(once.route, once.labels);
  outbox_->push(
      key,
      {"msg_" + common_.options.random.identifier(), spec_.notifier->render({alert}, recoveries_of(once), e), e.at},
      std::nullopt, {});
}

}  // namespace notify
