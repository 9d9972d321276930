#include "recover/standby/member_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"

namespace recover {

using namespace std::chrono_literals;
using Move = StandbyMove;

StandbyMemberRun::StandbyMemberRun(const StandbyContext& context, const std::string& node,
                                   const StandbyCallbacks& callbacks, Standby spec)
    : context_(context),
      node_(node),
      callbacks_(callbacks),
      spec_(std::move(spec)),
      servers_(standby_servers(spec_, context.scheduler, context.dialer)),
      started_(context.scheduler.now()) {
  next(0s);
}

void StandbyMemberRun::pause() {
  looking_.clear();
  step_.reset();
  timer_.reset();
  fencing_here_ = false;
}

void StandbyMemberRun::use(Standby spec) {
  pause();
  spec_ = std::move(spec);
  servers_ = standby_servers(spec_, context_.scheduler, context_.dialer);
  looks_.clear();
  next(0s);
}

void StandbyMemberRun::next(base::Duration pause) {
  timer_ = context_.scheduler.after(pause, [this] { look(); });
}

// ---- what there is

void StandbyMemberRun::look() {
  looking_.clear();
  missing_ = spec_->members.size();
  for (const auto& [member, server] : spec_->members)
    looking_[member] = servers_->look(server, [this, member = member](const ServerLook& look) {
      looks_[member] = look;
      if (--missing_ == 0) timer_ = context_.scheduler.after(0s, [this] { read(); });
    });
}

void StandbyMemberRun::read() {
  looking_.clear();
  step_ = context_.election.read(spec_->service, [this](ElectionView seen) {
    if (!seen.known) {  // what was known of the record is kept
      seen.record = std::move(seen_.record);
      seen.revision = seen_.revision;
    }
    seen_ = std::move(seen);
    act();
  });
}

const ServerLook& StandbyMemberRun::own() const {
  static const ServerLook none;
  const auto found = looks_.find(node_);
  return found == looks_.end() ? none : found->second;
}

StandbyFacts StandbyMemberRun::facts() const {
  StandbyFacts facts{*spec_, node_};
  facts.lease = context_.election.holds();
  facts.settling = !had_lease_ && context_.scheduler.now() < started_ + kSettle;
  facts.seen = seen_;
  facts.looks = looks_;
  facts.memory = memory_;
  facts.health = callbacks_.health(spec_->service);
  facts.now = context_.scheduler.now();
  facts.wall_now = context_.scheduler.wall_now();
  facts.approved = facts.now < approved_until_;
  facts.maintenance = callbacks_.maintenance(spec_->service);
  facts.paused = callbacks_.paused(spec_->service);
  return facts;
}

StandbyStatus StandbyMemberRun::status() const {
  StandbyStatus out{spec_, facts(), decision_, 0, promotions_, refusals_};
  for (const auto& [member, look] : looks_)
    if (look.answers && !look.closed) ++out.taking_writes;
  return out;
}

base::Result<std::string> StandbyMemberRun::approve() {
  const auto waits =
      std::find_if(decision_.judgements.begin(), decision_.judgements.end(),
                   [](const StandbyJudgement& each) { return each.gate == StandbyGate::not_approved && !each.open; });
  if (spec_->mode == model::RecoveryMode::dry_run)
    return base::fail(base::Kind::unavailable, "the standby is in mode dry_run, which does nothing");
  if (waits == decision_.judgements.end())
    return base::fail(base::Kind::unavailable,
                      fmt::format("nothing of {} waits for an approval on this node: {}", spec_->service,
                                  decision_.closed() == nullptr ? decision_.text : decision_.closed()->text));
  if (const StandbyJudgement* why = decision_.closed(); why->gate != StandbyGate::not_approved)
    return base::fail(base::Kind::unavailable, fmt::format("{}: {}", to_string(why->gate), why->text));
  approved_until_ = context_.scheduler.now() + Standbys::kApproved;
  return fmt::format("{} may go on within {}", spec_->service, base::format_duration(Standbys::kApproved));
}

// The others hear which servers this agent does not reach, as soon as that is another list.
void StandbyMemberRun::observe() {
  if (spec_->observers < 2 || !seen_.known || !context_.election.holds()) return;
  std::vector<std::string> unreached;
  for (const auto& [member, look] : looks_)
    if (!look.answers) unreached.push_back(member);
  for (const StandbyObservation& each : seen_.observations)
    if (each.mine && each.node == node_ && each.unreached == unreached) return;
  observing_ = context_.election.observe(spec_->service, unreached, [](const ElectionAnswer&) {});
}

// ---- what is done

void StandbyMemberRun::act() {
  had_lease_ = had_lease_ || context_.election.holds();
  StandbyFacts now = facts();
  remember(memory_, now);
  now.memory = memory_;
  may_be_open_ = own().answers && !own().closed;
  decision_ = decide(now);
  observe();
  note_refusal();
  callbacks_.on_change();
  if (spec_->mode == model::RecoveryMode::dry_run) return next(kEvery);
  const bool managed =
      std::any_of(looks_.begin(), looks_.end(), [](const auto& each) { return !each.second.managed.empty(); });
  // What opened it did not come to that: its answer was late, or there was a reload.
  if (decision_.move == Move::none && traffic_due_ && may_be_open_ && decision_.closed() == nullptr) move_traffic();
  switch (decision_.move) {
    case Move::none: return next(kEvery);
    case Move::close: return close();
    case Move::take: return take();
    case Move::adopt: return adopt();
    case Move::drop:
      return may_be_open_ && !managed && seen_.record ? close() : drop();  // without a record it is not ours
    case Move::prove_fence: return prove_fence();
    case Move::make_primary: return make_primary();
    case Move::open: return open();
    case Move::complete: return complete();
    case Move::give_up: return give_up();
    case Move::follow: return follow();
    case Move::rejoined: return rejoined();
  }
}

void StandbyMemberRun::note_refusal() {
  const StandbyJudgement* closed = decision_.closed();
  const bool refused = closed != nullptr;
  if (refused) ++refusals_[std::string(to_string(closed->gate))];
  const std::string name = refused ? fmt::format("{} {}", decision_.text, to_string(closed->gate)) : "";
  if (std::exchange(refused_, name) == name || !refused) return;
  base::log::warn("standby: refused", {{"service", spec_->service},
                                       {"is", decision_.text},
                                       {"reason", std::string(to_string(closed->gate))},
                                       {"text", closed->text}});
}

void StandbyMemberRun::done(const std::string& text) {
  base::log::info("standby", {{"service", spec_->service}, {"done", text}});
  callbacks_.on_event(spec_->service, text);
  next(0s);
}

void StandbyMemberRun::failed(const std::string& text) {
  base::log::warn("standby", {{"service", spec_->service}, {"failed", text}});
  next(kAgain);
}

}  // namespace recover
