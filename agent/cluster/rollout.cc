#include "cluster/rollout.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/number.h"
#include "base/text.h"

namespace cluster {
namespace {

constexpr std::size_t kLongest = 300;  // of a reason: thousands of members are one value of the store

RolloutPart* find(Rollout& rollout, const Identity& who) {
  const auto found =
      std::find_if(rollout.parts.begin(), rollout.parts.end(), [&](const RolloutPart& p) { return p.who == who; });
  return found == rollout.parts.end() ? nullptr : &*found;
}

bool is_there(const Group& group, const Identity& who) {
  return std::any_of(group.members.begin(), group.members.end(), [&](const Member& m) { return m.who == who; });
}

bool is_over(const Rollout& rollout) {
  return std::all_of(rollout.parts.begin(), rollout.parts.end(),
                     [](const RolloutPart& p) { return p.state == PartState::done; });
}

void set(Rollout& rollout, RolloutState state, std::string why, base::WallTime at) {
  rollout.state = state;
  rollout.why = base::shortened(why, kLongest);
  rollout.since = at;
}

void set(RolloutPart& part, PartState state, std::string text, base::WallTime at) {
  part.state = state;
  part.text = base::shortened(text, kLongest);
  part.since = at;
}

// Of two at work one may have begun long ago; where its agent is gone its run is over, or goes on without us.
const RolloutPart* at_work(const Group& group, const Rollout& rollout) {
  for (const RolloutPart& part : rollout.parts)
    if (part.state == PartState::working && is_there(group, part.who)) return &part;
  return nullptr;
}

base::Result<> none_at_work(const Group& group, const Rollout& rollout) {
  if (const RolloutPart* part = at_work(group, rollout))
    return base::fail(
        base::Kind::unavailable,
        fmt::format("{} is still at work for rollout {}: try again when it has ended", named(part->who), rollout.id));
  return {};
}

base::Result<int> members_of(const std::string& batch, int members) {
  std::string_view text = batch;
  const bool percent = text.ends_with('%');
  if (percent) text.remove_suffix(1);
  const auto value = base::read_number<int>(text);
  const auto bad = [&](const std::string& why) {
    return base::fail(base::Kind::invalid, fmt::format("batch {}: {}", base::foreign_text(batch, 32), why));
  };
  if (!value || *value < 0) return bad("expected a number of members (2) or a part of them (25%)");
  if (*value == 0) return bad("must be at least 1: a batch of none never ends");
  if (percent && *value > 100) return bad("must be at most 100%");
  if (!percent && *value > members) return bad(fmt::format("the group has {} members", members));
  return Share{*value, percent}.of(members);
}

// One that went down after its part is worth no other one.
const Member* down_since(const Group& group, const Rollout& rollout) {
  for (const RolloutPart& part : rollout.parts) {
    if (part.state != PartState::done) continue;
    for (const Member& member : group.members)
      if (member.who == part.who && member.health == model::Health::down) return &member;
  }
  return nullptr;
}

class Decision {
 public:
  Decision(const Group& now, const PartView& view, base::WallTime at)
      : now_(now), rollout_(*now.rollout), view_(view), at_(at) {
    todo_.next = rollout_;
    own_ = find(todo_.next, view.self);
  }

  RolloutTodo make() {
    if (own_ != nullptr && own_->state == PartState::working) go_on();
    if (todo_.kind != RolloutTodo::Kind::nothing || rollout_.state != RolloutState::running || !view_.joined)
      return std::move(todo_);
    if (own_ != nullptr && own_->state == PartState::waiting && has_turn(view_.self)) my_turn();
    if (todo_.kind == RolloutTodo::Kind::nothing) look_at_time();
    return std::move(todo_);
  }

 private:
  void go_on() {
    switch (view_.run.state) {
      case PartRun::State::recovered: return ended(PartState::done, "");
      case PartRun::State::failed: return ended(PartState::failed, view_.run.text);
      case PartRun::State::under_way:
        if (rollout_.state == RolloutState::aborted) todo_.kind = RolloutTodo::Kind::abort;
        return;
      case PartRun::State::none: break;
    }
    if (rollout_.state != RolloutState::running) return back();
    if (!view_.joined) return;
    if (view_.gate.state == PartGate::State::never) return ended(PartState::failed, view_.gate.text);
    if (view_.gate.state == PartGate::State::open && view_.unchanged < rollout_.deadline)
      todo_.kind = RolloutTodo::Kind::begin;
    else if (view_.unchanged >= rollout_.deadline) {
      back();
      stop(late(view_.gate.text));
    }
  }

  // It has not begun, and does not.
  void back() {
    set(*own_, PartState::waiting, "", at_);
    todo_.kind = RolloutTodo::Kind::write;
  }

  void my_turn() {
    if (view_.gate.state == PartGate::State::never) return ended(PartState::failed, view_.gate.text);
    if (down_since(now_, rollout_) != nullptr || view_.gate.state != PartGate::State::open) return;
    set(*own_, PartState::working, "", at_);
    write(RolloutEvent::part_began, fmt::format("{} begins", named(view_.self)));
  }

  void ended(PartState how, const std::string& text) {
    set(*own_, how, text, at_);
    const bool failed = how == PartState::failed;
    write(failed ? RolloutEvent::part_failed : RolloutEvent::part_done,
          fmt::format("{}: {}{}{}", named(view_.self), to_string(how), failed ? ": " : "", failed ? text : ""));
    if (rollout_.state != RolloutState::running) return;
    if (failed) stop(fmt::format("{}: {}", named(view_.self), text));
    else if (is_over(todo_.next)) {
      set(todo_.next, RolloutState::done, "", at_);
      todo_.news.push_back({RolloutEvent::done, "", fmt::format("all {} members are done", rollout_.parts.size())});
    }
  }

  void look_at_time() {
    if (view_.unchanged < rollout_.deadline) return;
    const bool others_too = view_.unchanged >= rollout_.deadline + kDeadlineOfOthers;
    const bool goes_on = cluster::at_work(now_, rollout_) != nullptr;  // who waits, waits for that one
    for (const RolloutPart* part : turn_of(rollout_)) {
      const bool away = !is_there(now_, part->who);
      const bool waits = part->state == PartState::waiting;
      if (away && (waits || part->state == PartState::working))
        return stop(fmt::format("{} is away{}: its agent has not been in the fleet for {}", named(part->who),
                                waits ? "" : " in the middle of its part", base::format_duration(rollout_.deadline)));
      if (!waits || goes_on || !(others_too || part->who == view_.self)) continue;
      if (const Member* down = down_since(now_, rollout_))
        return stop(fmt::format("{} went down after its part", named(down->who)));
      return stop(late(part->who == view_.self ? view_.gate.text : "its agent does not say why", part->who));
    }
  }

  std::string late(const std::string& why) const { return late(why, view_.self); }
  std::string late(const std::string& why, const Identity& who) const {
    return fmt::format("{} has not begun within {}{}{}", named(who), base::format_duration(rollout_.deadline),
                       why.empty() ? "" : ": ", why);
  }

  void stop(const std::string& why) {
    set(todo_.next, RolloutState::stopped, why, at_);
    todo_.kind = RolloutTodo::Kind::write;
    todo_.news.push_back({RolloutEvent::stopped, "", why});
  }

  void write(RolloutEvent event, std::string text) {
    todo_.kind = RolloutTodo::Kind::write;
    todo_.news.push_back({event, view_.self.service, std::move(text)});
  }

  bool has_turn(const Identity& who) const {
    const auto turn = turn_of(rollout_);
    return std::any_of(turn.begin(), turn.end(), [&](const RolloutPart* part) { return part->who == who; });
  }

  const Group& now_;
  const Rollout& rollout_;
  const PartView& view_;
  base::WallTime at_;
  RolloutTodo todo_;
  RolloutPart* own_ = nullptr;
};

}  // namespace

std::string_view to_string(RolloutEvent event) {
  switch (event) {
    case RolloutEvent::started: return "started";
    case RolloutEvent::part_began: return "part_began";
    case RolloutEvent::part_done: return "part_done";
    case RolloutEvent::part_failed: return "part_failed";
    case RolloutEvent::stopped: return "stopped";
    case RolloutEvent::resumed: return "resumed";
    case RolloutEvent::aborted: return "aborted";
    case RolloutEvent::done: break;
  }
  return "done";
}

std::vector<const RolloutPart*> turn_of(const Rollout& rollout) {
  const auto batch = static_cast<std::size_t>(std::max(rollout.batch, 1));
  std::vector<const RolloutPart*> out;
  for (std::size_t first = 0; first < rollout.parts.size(); first += batch) {
    for (std::size_t i = first; i < std::min(first + batch, rollout.parts.size()); ++i)
      if (rollout.parts[i].state != PartState::done) out.push_back(&rollout.parts[i]);
    if (!out.empty()) break;
  }
  return out;
}

base::Result<Rollout> begin_rollout(const std::string& group, const Group& now, const RolloutWish& wish, std::string id,
                                    base::WallTime at) {
  if (now.members.empty())
    return base::fail(base::Kind::unavailable, fmt::format("the group {} has no members", group));
  if (now.rollout && now.rollout->state == RolloutState::running)
    return base::fail(base::Kind::unavailable,
                      fmt::format("rollout {} of {} is under way: fettle rollout {} --status shows it, --abort ends it",
                                  now.rollout->id, group, group));
  if (now.rollout) TRY_VOID(none_at_work(now, *now.rollout));
  TRY(const int batch, members_of(wish.batch, static_cast<int>(now.members.size())));
  Rollout out{std::move(id), 1, wish.action, batch, wish.deadline, wish.by, at};
  out.since = at;
  for (const Member& member : now.members) out.parts.push_back({member.who, PartState::waiting, at});
  std::sort(out.parts.begin(), out.parts.end(), [](const RolloutPart& a, const RolloutPart& b) {
    return std::tie(a.who.node, a.who.service) < std::tie(b.who.node, b.who.service);
  });
  return out;
}

base::Result<Rollout> resume_rollout(const std::string& group, const Group& now, base::WallTime at) {
  const auto refuse = [&](const std::string& why) { return base::fail(base::Kind::unavailable, why); };
  if (!now.rollout) return refuse(fmt::format("there is no rollout of {} to resume", group));
  Rollout out = *now.rollout;
  if (out.state == RolloutState::running) return refuse(fmt::format("rollout {} of {} is under way", out.id, group));
  if (out.state == RolloutState::done) return refuse(fmt::format("rollout {} of {} is done", out.id, group));
  TRY_VOID(none_at_work(now, out));
  for (RolloutPart& part : out.parts)
    if (part.state != PartState::done) set(part, PartState::waiting, "", at);
  ++out.round;
  set(out, is_over(out) ? RolloutState::done : RolloutState::running, "", at);
  return out;
}

base::Result<Rollout> abort_rollout(const std::string& group, const Group& now, const std::string& by,
                                    base::WallTime at) {
  if (!now.rollout || now.rollout->state == RolloutState::done || now.rollout->state == RolloutState::aborted)
    return base::fail(base::Kind::unavailable, fmt::format("no rollout of {} is under way", group));
  Rollout out = *now.rollout;
  set(out, RolloutState::aborted, "aborted by " + by, at);
  return out;
}

RolloutTodo decide(const Group& now, const PartView& view, base::WallTime at) {
  return now.rollout ? Decision(now, view, at).make() : RolloutTodo{};
}

}  // namespace cluster
