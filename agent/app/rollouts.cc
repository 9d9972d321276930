#include "app/rollouts.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/edit_distance.h"
#include "base/log.h"

namespace app {
namespace {

using namespace std::chrono_literals;
using cluster::Answered;

constexpr int kTries = 5;  // others write as well
constexpr base::Duration kReadBy = 2s;
constexpr base::Duration kChange = 10s;  // for the store to answer who asked for one
constexpr base::Duration kEvery = 1s;    // guards that wait, and deadlines

std::string text_of(const model::RecoveryReport& report) {
  for (const model::ActionReport& action : report.actions) {
    const bool ok = action.result == model::ActionStatus::ok;
    if (ok && !(action.may_heal && !action.text.empty())) continue;
    return fmt::format("{}: {}{}{}", action.action, ok ? "" : to_string(action.result),
                       ok || action.text.empty() ? "" : ": ", action.text);
  }
  return "";
}

}  // namespace

Rollouts::Rollouts(loop::Scheduler& scheduler, base::Random random, const FleetLink& link,
                   recover::Dispatcher& dispatcher,
                   std::function<void(const std::string& group, const cluster::RolloutNews& news)> news)
    : scheduler_(scheduler), random_(random), link_(link), dispatcher_(dispatcher), news_(std::move(news)) {}

void Rollouts::look_soon() {
  if (!look_) look_ = scheduler_.after({}, [this] { look(); });
}

void Rollouts::look() {
  const loop::Handle own = std::move(look_);
  tick_.reset();
  seen_ = link_.fleet();
  if (std::exchange(generation_, link_.generation()) != link_.generation())
    for (auto& [name, known] : std::exchange(groups_, {}))
      for (Change& change : known.changes)
        change.done(base::fail(base::Kind::unavailable, "the fleet was configured again meanwhile"));
  if (seen_ == nullptr) return;
  bool waits = false;
  for (const std::string& group : seen_->groups()) waits = look_at(group, groups_[group]) || waits;
  if (waits) tick_ = scheduler_.after(kEvery, [this] { look(); });
}

// True: time alone may bring something to do.
bool Rollouts::look_at(const std::string& group, Known& known) {
  const cluster::Group* now = seen_->group(group);
  if (now == nullptr) return false;  // changes are asked for once it is there
  if (std::exchange(known.revision, now->rollout_revision) != now->rollout_revision) {
    known.first_seen = scheduler_.now();
    known.again = {};
  }
  // What was known before the agent lost its lease may be over.
  if (!seen_->joined()) known.fresh_after = seen_->readings(group);
  known.joined = seen_->joined() && seen_->readings(group) > known.fresh_after;
  if (seen_->joined() && !known.joined) link_.refresh(group);
  if (known.writes) return false;
  if (scheduler_.now() < known.again) return true;
  if (!known.changes.empty() && carry_out_change(group, known)) return true;
  if (!now->rollout) return false;
  const auto& parts = now->rollout->parts;
  const bool is_live = now->rollout->state == cluster::RolloutState::running ||
                       std::any_of(parts.begin(), parts.end(), [](const cluster::RolloutPart& p) {
                         return p.state == cluster::PartState::working;
                       });
  if (!is_live) return false;
  for (const cluster::Identity& who : seen_->own_members(group))
    if (!known.writes) look_at_part(group, known, who);
  return true;
}

void Rollouts::look_at_part(const std::string& group, Known& known, const cluster::Identity& who) {
  const cluster::Group& now = *seen_->group(group);
  const cluster::Rollout& rollout = *now.rollout;
  const cluster::PartView view{who, run_of(rollout, who.service), gate_of(rollout, who.service), known.joined,
                               scheduler_.now() - known.first_seen};
  cluster::RolloutTodo todo = cluster::decide(now, view, scheduler_.wall_now());
  switch (todo.kind) {
    case cluster::RolloutTodo::Kind::nothing: return;
    case cluster::RolloutTodo::Kind::begin: return begin_run(rollout, who.service);
    case cluster::RolloutTodo::Kind::abort: return abort_run(rollout, who.service);
    case cluster::RolloutTodo::Kind::write: break;
  }
  write(group, todo.next, [this, group, news = std::move(todo.news)](const auto& answer) {
    if (answer.kind != Answered::yes) return;
    for (const cluster::RolloutNews& each : news) news_(group, each);
  });
}

void Rollouts::write(const std::string& group, const cluster::Rollout& next,
                     std::function<void(const cluster::Answer<cluster::Nothing>&)> then) {
  groups_.at(group).writes = true;
  link_.write(group, next, [this, group, then = std::move(then)](const cluster::Answer<cluster::Nothing>& answer) {
    const auto known = groups_.find(group);
    if (known == groups_.end()) return;
    known->second.writes = false;
    known->second.again = scheduler_.now() + kReadBy;
    then(answer);
    look_soon();
  });
}

// ---- the run of a part

cluster::PartRun Rollouts::run_of(const cluster::Rollout& rollout, const std::string& service) const {
  using State = cluster::PartRun::State;
  if (starting_.contains(service)) return {State::under_way, ""};
  const std::string trigger = trigger_of(rollout);
  for (const model::RecoveryReport& report : dispatcher_.reports()) {
    if (report.service != service || report.trigger != trigger) continue;
    if (!report.ended) return {State::under_way, ""};
    if (report.state == model::RecoveryState::recovered) return {State::recovered, ""};
    const std::string why = report.reason.empty() ? text_of(report) : report.reason;
    return {State::failed, why.empty() ? fmt::format("recovery {}: {}", report.id, to_string(report.state)) : why};
  }
  return {};
}

cluster::PartGate Rollouts::gate_of(const cluster::Rollout& rollout, const std::string& service) const {
  using State = cluster::PartGate::State;
  const recover::Readiness ready = dispatcher_.ready_for_rollout(service, rollout.action);
  switch (ready.closed) {
    case recover::Heed::no: return {State::open, ""};
    case recover::Heed::later: return {State::later, ready.text};
    case recover::Heed::never: break;
  }
  return {State::never, ready.text};
}

// One that the brakes refuse at the last moment is asked again.
void Rollouts::begin_run(const cluster::Rollout& rollout, const std::string& service) {
  starting_.insert(service);
  dispatcher_.roll_out(service, rollout.action, trigger_of(rollout), [this, service](base::Result<std::string> began) {
    starting_.erase(service);
    if (!began) base::log::info("a rollout waits", {{"service", service}, {"reason", began.error().text}});
    if (began) look_soon();
  });
}

void Rollouts::abort_run(const cluster::Rollout& rollout, const std::string& service) {
  const std::string trigger = trigger_of(rollout);
  if (std::exchange(abort_told_[service], trigger) == trigger) return;
  dispatcher_.abort(service, "the rollout was aborted", [](const base::Result<std::string>&) {});
}

// ---- what people ask for

base::Result<> Rollouts::may_change(const std::string& group) const {
  const cluster::Fleet* fleet = link_.fleet();
  if (fleet == nullptr)
    return base::fail(base::Kind::not_found,
                      "no_fleet: no fleet is configured; a rollout needs fleet: {etcd: …} or {consul: …}");
  if (!fleet->keeps_records())
    return base::fail(base::Kind::invalid,
                      "no_store: the agents of this fleet ask each other (peers), and nothing would keep the rollout "
                      "when an agent ends; it needs fleet: {etcd: …} or {consul: …}");
  const std::vector<std::string> groups = fleet->groups();
  if (std::find(groups.begin(), groups.end(), group) == groups.end()) {
    const std::string near = base::nearest(group, groups);
    return base::fail(
        base::Kind::not_found,
        fmt::format("no service of this agent is in a group '{}'{}", group,
                    near.empty() ? fmt::format("; there are: {}",
                                               groups.empty() ? "none" : fmt::format("{}", fmt::join(groups, ", ")))
                                 : fmt::format("; did you mean {}?", near)));
  }
  if (!fleet->joined() || fleet->group(group) == nullptr)
    return base::fail(base::Kind::unavailable,
                      fmt::format("fleet_unknown: {} has not said who is in the group", fleet->store_name()));
  return {};
}

void Rollouts::ask(const std::string& group, Change change) {
  if (auto may = may_change(group); !may) {
    scheduler_.post([done = std::move(change.done), error = may.error()] { done(tl::unexpected<base::Error>(error)); });
    return;
  }
  if (link_.generation() != generation_) look();
  change.after = seen_->readings(group);
  change.deadline = scheduler_.now() + kChange;
  groups_[group].changes.push_back(std::move(change));
  link_.refresh(group);
  look_soon();
}

void Rollouts::begin(const std::string& group, cluster::RolloutWish wish, Done done) {
  const std::string id = random_.identifier().substr(0, 12);
  Change change;
  change.make = [this, group, wish, id](const cluster::Group& now) -> base::Result<cluster::Rollout> {
    for (const cluster::Identity& who : seen_->own_members(group)) {
      const recover::Readiness ready = dispatcher_.ready_for_rollout(who.service, wish.action);
      if (ready.closed == recover::Heed::never)
        return base::fail(base::Kind::unavailable, fmt::format("{}: {}", cluster::named(who), ready.text));
    }
    return cluster::begin_rollout(group, now, wish, id, scheduler_.wall_now());
  };
  change.news = {cluster::RolloutEvent::started, "", fmt::format("rollout {} of {} by {}", id, group, wish.by)};
  change.sentence = [this, group](const cluster::Rollout& written) {
    const std::vector<cluster::Identity> own = seen_->own_members(group);
    const cluster::GroupSettings* settings = own.empty() ? nullptr : seen_->settings(own.front().service);
    const bool braked = settings != nullptr && settings->max_concurrent < written.batch;
    return fmt::format("rollout {} of {} has begun: {} members, {} at a time{}; fettle rollout {} --status shows it",
                       written.id, group, written.parts.size(), written.batch,
                       braked ? fmt::format(" (max_concurrent lets {} act at once)", settings->max_concurrent) : "",
                       group);
  };
  change.done = std::move(done);
  ask(group, std::move(change));
}

void Rollouts::resume(const std::string& group, Done done) {
  Change change;
  change.make = [this, group](const cluster::Group& now) {
    return cluster::resume_rollout(group, now, scheduler_.wall_now());
  };
  change.news = {cluster::RolloutEvent::resumed, "", fmt::format("rollout of {} goes on", group)};
  change.sentence = [group](const cluster::Rollout& written) {
    const auto left = std::count_if(written.parts.begin(), written.parts.end(),
                                    [](const cluster::RolloutPart& p) { return p.state != cluster::PartState::done; });
    return fmt::format("rollout {} of {} goes on: {} of {} members are left", written.id, group, left,
                       written.parts.size());
  };
  change.done = std::move(done);
  ask(group, std::move(change));
}

void Rollouts::abort(const std::string& group, const std::string& by, Done done) {
  Change change;
  change.make = [this, group, by](const cluster::Group& now) {
    return cluster::abort_rollout(group, now, by, scheduler_.wall_now());
  };
  change.news = {cluster::RolloutEvent::aborted, "", fmt::format("rollout of {} is aborted by {}", group, by)};
  change.sentence = [group](const cluster::Rollout& written) {
    return fmt::format(
        "rollout {} of {} is aborted: no member begins any more; a step that runs ends, and what was drained is given "
        "back; to go on: fettle rollout {} --resume",
        written.id, group, group);
  };
  change.done = std::move(done);
  ask(group, std::move(change));
}

// True: it is under way.
bool Rollouts::carry_out_change(const std::string& group, Known& known) {
  Change& change = known.changes.front();
  const auto end = [this, group](base::Result<std::string> answer) {
    Known& own = groups_.at(group);
    const Change over = std::move(own.changes.front());
    own.changes.pop_front();
    if (!own.changes.empty()) look_soon();
    over.done(std::move(answer));
  };
  if (!change.written.empty()) {
    end(std::string(change.written));
    return false;
  }
  if (scheduler_.now() >= change.deadline) {
    end(base::fail(base::Kind::unavailable, fmt::format("fleet_unknown: {} does not answer", seen_->store_name())));
    return true;
  }
  if (seen_->readings(group) <= change.after) return true;
  const auto next = change.make(*seen_->group(group));
  if (!next) {
    end(tl::unexpected<base::Error>(next.error()));
    return false;
  }
  write(group, *next, [this, group, end, written = *next](const cluster::Answer<cluster::Nothing>& answer) {
    Change& asked = groups_.at(group).changes.front();
    if (answer.kind == Answered::yes) {
      news_(group, asked.news);
      asked.written = asked.sentence(written);
      return;
    }
    if (answer.kind == Answered::no && ++asked.tries < kTries) return;
    end(base::fail(base::Kind::unavailable,
                   answer.kind == Answered::no
                       ? fmt::format("{}: other agents were faster, again and again", seen_->store_name())
                       : fmt::format("whether it is written is not known: {}; fettle rollout {} --status shows it",
                                     answer.text, group)));
  });
  return true;
}

}  // namespace app
