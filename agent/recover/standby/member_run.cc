#include "recover/standby/member_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "recover/drill/drill_program.h"

namespace recover {

using namespace std::chrono_literals;
using Move = StandbyMove;

namespace {

constexpr base::Millis kHookLimit{20'000};

std::vector<std::string> set_replicas(int replicas) {
  return {"CONFIG", "SET", "min-replicas-to-write", std::to_string(replicas)};
}

}  // namespace

StandbyMemberRun::StandbyMemberRun(const StandbyContext& context, const std::string& node,
                                   const StandbyCallbacks& callbacks, Standby spec)
    : context_(context),
      node_(node),
      callbacks_(callbacks),
      spec_(std::move(spec)),
      servers_(context.scheduler, context.dialer),
      started_(context.scheduler.now()) {
  next(0s);
}

void StandbyMemberRun::pause() {
  looking_.clear();
  step_.reset();
  timer_.reset();
}

void StandbyMemberRun::use(Standby spec) {
  pause();
  spec_ = std::move(spec);
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
    looking_[member] =
        servers_.ask(server, spec_->login, look_commands(), [this, member = member](const RedisAnswer& answer) {
          looks_[member] = read_look(answer);
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

// ---- what is done

void StandbyMemberRun::act() {
  had_lease_ = had_lease_ || context_.election.holds();
  StandbyFacts now = facts();
  remember(memory_, now);
  now.memory = memory_;
  may_be_open_ = own().answers && !own().closed;
  decision_ = decide(now);
  note_refusal();
  callbacks_.on_change();
  if (spec_->mode == model::RecoveryMode::dry_run) return next(kEvery);
  const bool managed =
      !decision_.judgements.empty() && (decision_.judgements[0].gate == StandbyGate::managed_by_sentinel ||
                                        decision_.judgements[0].gate == StandbyGate::managed_by_cluster);
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

// A store that does not say whether it did what it was asked for is read again before anything else is done.
void StandbyMemberRun::after(ElectionAnswer answer, const std::string& text) {
  if (answer.kind == Elected::yes) return done(text);
  failed(fmt::format("the store did not take it: {} ({})", answer.text, text));
}

void StandbyMemberRun::write(StandbyRecord record, const std::string& text) {
  step_ = context_.election.write(spec_->service, record, seen_.revision,
                                  [this, text](ElectionAnswer answer) { after(std::move(answer), text); });
}

void StandbyMemberRun::tell(const std::string& member, Commands commands, std::function<void(RedisAnswer)> then) {
  const auto address = spec_->members.find(member);
  if (address == spec_->members.end()) return failed(member + " is no member in this agent's configuration");
  step_ = servers_.ask(address->second, spec_->login, std::move(commands), std::move(then));
}

void StandbyMemberRun::look_again(const std::string& member, std::function<void(const ServerLook&)> then) {
  tell(member, look_commands(), [then = std::move(then)](const RedisAnswer& answer) { then(read_look(answer)); });
}

void StandbyMemberRun::run_fence(const std::string& member, std::function<void(std::string trouble)> then) {
  os::Command command;
  command.argv = spec_->fence;
  const auto address = spec_->members.find(member);
  command.environment = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                         {"FETTLE_SERVICE", spec_->service},
                         {"FETTLE_NODE", member},
                         {"FETTLE_ADDRESS", address == spec_->members.end() ? "" : address->second.text()},
                         {"FETTLE_FENCE", fmt::to_string(seen_.right ? seen_.right->fence : 0)}};
  command.limit = kHookLimit;
  step_ = context_.spawner.spawn(std::move(command),
                                 [name = spec_->fence.front(), then = std::move(then)](
                                     const base::Result<os::Finished>& finished) { then(failure_of(name, finished)); });
}

// With what its file has, so that an agent that is started later knows it.
StandbyMemberRun::Commands StandbyMemberRun::closing() const {
  Commands out{{"CONFIG", "SET", "min-replicas-max-lag", "10"}};
  if (own().answers && !own().primary) out.push_back({"CONFIG", "SET", "replica-read-only", "yes"});
  out.push_back(
      set_replicas(memory_.run_id == own().run_id && memory_.started_closed ? kClosedReplicas : kClosedByAgent));
  return out;
}

// The lease is lost: what of a move is under way must not open the server behind this.
void StandbyMemberRun::on_lease() {
  if (context_.election.holds()) had_lease_ = true;
  if (context_.election.holds() || !had_lease_ || spec_->mode == model::RecoveryMode::dry_run) return;
  if (!may_be_open_ || !seen_.record || seen_.record->primary != node_) return;
  pause();
  close();
}

void StandbyMemberRun::close() {
  tell(node_, closing(), [this](const RedisAnswer& answer) {
    if (!answer.trouble.empty()) return failed("the server here could not be closed to writes: " + answer.trouble);
    look_again(node_, [this](const ServerLook& look) {
      if (!look.answers || !look.closed)
        return failed("the server here was told to take no writes and does not say so: " + look.trouble);
      may_be_open_ = false;
      done("the server here is closed to writes");
    });
  });
}

void StandbyMemberRun::take() {
  const bool primary = seen_.record && seen_.record->primary == node_;
  const std::int64_t offset =
      primary || !seen_.record ? 0 : std::max<std::int64_t>({memory_.offset, seen_.record->offset, 1});
  step_ = context_.election.take(spec_->service, offset, [this](ElectionAnswer answer) {
    after(std::move(answer), "took the right to be the primary");
  });
}

void StandbyMemberRun::adopt() {
  StandbyRecord record = seen_.record.value_or(StandbyRecord{});
  record.primary = node_;
  record.state = StandbyState::held;
  record.fence = seen_.right->fence;
  record.run_id = own().run_id;
  record.starts_closed = memory_.started_closed;
  record.offset = 0;
  write(std::move(record), "the server here is the primary by the record");
}

void StandbyMemberRun::drop() {
  step_ = context_.election.drop(spec_->service,
                                 [this](ElectionAnswer answer) { after(std::move(answer), "gave the right back"); });
}

// By its own word: it becomes a replica of the server here, which no late command opens. By its agent's, which has
// closed it and has written that. Or by a program's.
void StandbyMemberRun::prove_fence() {
  const std::string& old = seen_.record->primary;
  const auto found = looks_.find(old);
  if (found != looks_.end() && found->second.answers && seen_.record->starts_closed) {
    const StandbyMember& here = spec_->members.at(node_);
    Commands commands;
    if (!found->second.gate) commands.push_back(set_replicas(kClosedReplicas));
    commands.push_back({"REPLICAOF", here.host, std::to_string(here.port)});
    return tell(old, std::move(commands), [this, old](const RedisAnswer&) {
      look_again(old, [this, old](const ServerLook& look) {
        if (look.answers && !look.primary && look.closed) return fenced(old + " says that it is a replica now");
        not_fenced(fmt::format("{} was told to be a replica and does not say that it is: {}", old, look.trouble));
      });
    });
  }
  if (seen_.record->state == StandbyState::released && seen_.record->starts_closed)
    return fenced(fmt::format("the agent of {} has closed it and given up the right", old));
  if (spec_->fence.empty()) return not_fenced("there is no fence program");
  run_fence(old, [this, old](const std::string& trouble) {
    if (!trouble.empty()) return not_fenced(trouble);
    if (!spec_->members.contains(old)) return fenced("the fence program says so");
    look_again(old, [this, old](const ServerLook& look) {
      if (look.answers && !look.closed) return not_fenced("the fence program ended well, but the server takes writes");
      fenced(fmt::format("the fence program has ended well for {}", old));
    });
  });
}

void StandbyMemberRun::not_fenced(const std::string& why) {
  memory_.fence_failed = context_.scheduler.now();
  callbacks_.on_event(spec_->service, "fence_not_proven: " + why);
  failed("fence_not_proven: " + why);
}

void StandbyMemberRun::fenced(const std::string& how) {
  if (!context_.election.holds()) return failed("the lease was lost while the fence was proven");
  memory_.fence_failed = {};
  StandbyRecord record = *seen_.record;
  if (std::find(record.must_rejoin.begin(), record.must_rejoin.end(), record.primary) == record.must_rejoin.end())
    record.must_rejoin.push_back(record.primary);
  std::erase(record.must_rejoin, node_);
  record.primary = node_;
  record.state = StandbyState::promoting;
  record.fence = seen_.right->fence;
  record.run_id = own().run_id;
  record.starts_closed = memory_.started_closed;
  record.offset = 0;
  record.promoted = context_.scheduler.wall_now();
  write(std::move(record), fmt::format("fence proven ({}); the server here is to be the primary", how));
}

void StandbyMemberRun::make_primary() {
  if (!context_.election.holds()) return failed("the lease was lost before the promotion");
  tell(node_, {{"REPLICAOF", "NO", "ONE"}}, [this](const RedisAnswer& answer) {
    if (!answer.trouble.empty()) return failed("the server here could not be promoted: " + answer.trouble);
    done("the server here was promoted, closed to writes");
  });
}

// The write proves that the server is open; its value is the fence of the right by which it was made.
void StandbyMemberRun::open() {
  if (!context_.election.holds()) return failed("the lease was lost before the server was opened");
  may_be_open_ = true;
  traffic_due_ = !spec_->move_traffic.empty();
  tell(
      node_,
      {set_replicas(0), {"SET", "fettle:standby:" + spec_->service, fmt::to_string(seen_.right->fence), "PX", "60000"}},
      [this](const RedisAnswer& answer) {
        if (!context_.election.holds()) return close();
        if (!answer.trouble.empty()) return failed("the server here does not take a write: " + answer.trouble);
        move_traffic();
        done(fmt::format("the server here takes writes, fence {}", seen_.right->fence));
      });
}

void StandbyMemberRun::complete() {
  StandbyRecord record = *seen_.record;
  record.state = StandbyState::held;
  step_ = context_.election.write(spec_->service, record, seen_.revision, [this](ElectionAnswer answer) {
    if (answer.kind != Elected::yes) return after(std::move(answer), "record the end of the promotion");
    ++promotions_;
    approved_until_ = {};
    done("the promotion is complete, the server here is opened next");
  });
}

void StandbyMemberRun::move_traffic() {
  traffic_due_ = false;
  if (spec_->move_traffic.empty() || !seen_.right) return;
  os::Command command;
  command.argv = spec_->move_traffic;
  command.environment = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                         {"FETTLE_SERVICE", spec_->service},
                         {"FETTLE_NODE", node_},
                         {"FETTLE_ADDRESS", spec_->members.at(node_).text()},
                         {"FETTLE_FENCE", fmt::to_string(seen_.right->fence)}};
  command.limit = kHookLimit;
  traffic_ = context_.spawner.spawn(std::move(command), [this](const base::Result<os::Finished>& finished) {
    const std::string trouble = failure_of(spec_->move_traffic.front(), finished);
    if (!trouble.empty())
      base::log::error("standby: traffic was not moved", {{"service", spec_->service}, {"why", trouble}});
    callbacks_.on_event(spec_->service, trouble.empty() ? "traffic was moved" : "traffic was not moved: " + trouble);
  });
}

void StandbyMemberRun::give_up() {
  const ServerLook& look = own();
  if (look.answers)
    return tell(node_, closing(), [this](const RedisAnswer&) {
      look_again(node_, [this](const ServerLook& after) {
        if (after.answers && after.closed) return released("it was closed to writes");
        not_fenced("the server here was told to take no writes and does not say so: " + after.trouble);
      });
    });
  if (look.refused && seen_.record->starts_closed) return released("no process listens, and one that starts is closed");
  if (spec_->fence.empty())
    return not_fenced(fmt::format("the server here does not answer ({}), and there is no fence program", look.trouble));
  run_fence(node_, [this](const std::string& trouble) {
    if (!trouble.empty()) return not_fenced(trouble);
    look_again(node_, [this](const ServerLook& after) {
      if ((after.refused && seen_.record->starts_closed) || (after.answers && after.closed))
        return released("the fence program has ended it");
      not_fenced("the fence program ended well, but the server here is neither gone nor closed: " + after.trouble);
    });
  });
}

void StandbyMemberRun::released(const std::string& how) {
  memory_.fence_failed = {};
  may_be_open_ = false;
  StandbyRecord record = *seen_.record;
  record.state = StandbyState::released;
  record.offset = memory_.offset;
  write(std::move(record), fmt::format("gave up: the server here takes no write ({})", how));
}

void StandbyMemberRun::follow() {
  const StandbyMember& primary = spec_->members.at(seen_.record->primary);  // decide() has seen that it is one
  Commands commands;
  if (!own().gate) commands = closing();
  commands.push_back({"REPLICAOF", primary.host, std::to_string(primary.port)});
  tell(node_, std::move(commands), [this](const RedisAnswer& answer) {
    if (!answer.trouble.empty()) return failed("the server here could not be made a replica: " + answer.trouble);
    done(fmt::format("the server here follows that of {}", seen_.record->primary));
  });
}

void StandbyMemberRun::rejoined() {
  StandbyRecord record = *seen_.record;
  std::erase(record.must_rejoin, node_);
  approved_until_ = {};
  write(std::move(record), "the server here has rejoined");
}

}  // namespace recover
