#include "recover/standby/promotion.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/enum_names.h"

namespace recover {
namespace {

using Gate = StandbyGate;
using Judgements = std::vector<StandbyJudgement>;
using Move = StandbyMove;

constexpr std::array kGates{std::pair{Gate::maintenance, std::string_view("maintenance")},
                            std::pair{Gate::paused, std::string_view("paused")},
                            std::pair{Gate::store_unknown, std::string_view("store_unknown")},
                            std::pair{Gate::managed_by_sentinel, std::string_view("managed_by_sentinel")},
                            std::pair{Gate::managed_by_cluster, std::string_view("managed_by_cluster")},
                            std::pair{Gate::primary_lease_alive, std::string_view("primary_lease_alive")},
                            std::pair{Gate::another_is_elected, std::string_view("another_is_elected")},
                            std::pair{Gate::primary_answers, std::string_view("primary_answers")},
                            std::pair{Gate::two_primaries, std::string_view("two_primaries")},
                            std::pair{Gate::member_unknown, std::string_view("member_unknown")},
                            std::pair{Gate::candidate_not_ready, std::string_view("candidate_not_ready")},
                            std::pair{Gate::starts_open, std::string_view("starts_open")},
                            std::pair{Gate::not_in_sync, std::string_view("not_in_sync")},
                            std::pair{Gate::candidate_lag, std::string_view("candidate_lag")},
                            std::pair{Gate::another_is_ahead, std::string_view("another_is_ahead")},
                            std::pair{Gate::cooldown, std::string_view("cooldown")},
                            std::pair{Gate::fence_not_proven, std::string_view("fence_not_proven")},
                            std::pair{Gate::not_approved, std::string_view("not_approved")},
                            std::pair{Gate::restarted_without_aof, std::string_view("restarted_without_aof")},
                            std::pair{Gate::no_candidate, std::string_view("no_candidate")}};
constexpr std::array kMoves{std::pair{Move::none, std::string_view("none")},
                            std::pair{Move::close, std::string_view("close")},
                            std::pair{Move::take, std::string_view("take")},
                            std::pair{Move::adopt, std::string_view("adopt")},
                            std::pair{Move::drop, std::string_view("drop")},
                            std::pair{Move::prove_fence, std::string_view("fence")},
                            std::pair{Move::make_primary, std::string_view("promote")},
                            std::pair{Move::open, std::string_view("open")},
                            std::pair{Move::complete, std::string_view("complete")},
                            std::pair{Move::give_up, std::string_view("give_up")},
                            std::pair{Move::follow, std::string_view("follow")},
                            std::pair{Move::rejoined, std::string_view("rejoined")}};

const ServerLook& look_at(const StandbyFacts& facts, const std::string& member) {
  static const ServerLook none{false, false, "it was not looked at"};
  const auto found = facts.looks.find(member);
  return found == facts.looks.end() ? none : found->second;
}
const ServerLook& own(const StandbyFacts& facts) { return look_at(facts, facts.node); }
std::string address(const StandbyFacts& facts, const std::string& member) {
  const auto found = facts.spec.members.find(member);
  return found == facts.spec.members.end() ? "" : found->second.text();
}
bool takes_writes(const ServerLook& look) { return look.answers && !look.closed; }

bool started_closed(const StandbyFacts& facts) {
  return facts.memory.run_id == own(facts).run_id && facts.memory.started_closed;
}

std::string span(base::Duration d) {
  return base::format_duration(
      std::chrono::floor<std::chrono::seconds>(std::max<base::Duration>(d, base::Duration{0})));
}

void say(Judgements& all, Gate gate, bool open, std::string text) { all.push_back({gate, open, std::move(text)}); }

// What people work on is theirs: nothing begins. What only closes a server goes on, and so does a promotion whose fence
// is proven, without which there would be no primary.
void judge_people(Judgements& all, const StandbyFacts& facts) {
  const auto on = [](const std::string& text) { return text.empty() ? std::string("on") : "on: " + text; };
  say(all, Gate::maintenance, !facts.maintenance, facts.maintenance ? on(*facts.maintenance) : "off");
  say(all, Gate::paused, !facts.paused, facts.paused.value_or("no"));
}

// What else promotes is in charge.
Judgements judge_manager(const StandbyFacts& facts) {
  Judgements all;
  for (const auto& [member, look] : facts.looks) {
    if (look.managed.empty()) continue;
    const bool cluster = look.managed == "cluster";
    say(all, cluster ? Gate::managed_by_cluster : Gate::managed_by_sentinel, false,
        cluster ? fmt::format("the server of {} is part of a Redis Cluster, which promotes by itself", member)
                : fmt::format("a Sentinel watches the server of {} and promotes by itself", member));
    break;
  }
  return all;
}

// What the own server must be like before it may ever be a primary.
void judge_own(Judgements& all, const StandbyFacts& facts) {
  const ServerLook& look = own(facts);
  // One that takes writes goes on while its first probe has not run.
  const bool up = facts.health == model::Health::up ||
                  (facts.health == model::Health::unknown && look.primary && takes_writes(look));
  const bool ready = look.answers && !look.loading && !look.syncing && up;
  say(all, Gate::candidate_not_ready, ready,
      ready           ? "the server here answers and its service is not down"
      : !look.answers ? "the server here does not answer: " + look.trouble
      : look.loading  ? "the server here is loading its data"
      : look.syncing  ? "the server here is taking over the whole data of its primary"
                      : fmt::format("the service is {} here", model::to_string(facts.health)));
  say(all, Gate::starts_open, started_closed(facts),
      started_closed(facts)
          ? "the server here was started closed to writes"
          : fmt::format("the server here was not started with min-replicas-to-write {} in its file: one that is "
                        "started again would take writes by itself",
                        kClosedReplicas));
}

void judge_cooldown(Judgements& all, const StandbyFacts& facts, const StandbyRecord& record) {
  const base::Duration left = record.promoted + facts.spec.cooldown - facts.wall_now;
  // A promotion that is to come was written by a clock that was ahead.
  const bool over = record.promoted == base::WallTime{} || left <= base::Duration{0} ||
                    left > 2 * base::Duration(facts.spec.cooldown);
  say(all, Gate::cooldown, over,
      over ? "no promotion was within the cooldown"
           : fmt::format("the last promotion was less than {} ago; {} are left",
                         base::format_duration(facts.spec.cooldown), span(left)));
}

struct Known {
  bool known = false;
  std::int64_t offset = 0;
  bool synced = false;
};

// How far the primary had come, and whether the own server followed it then.
Known known_of(const StandbyFacts& facts, const StandbyRecord& record) {
  const StandbyMemory& memory = facts.memory;
  // An agent that was restarted after it was elected goes on by what it knew then.
  if (facts.seen.right && facts.seen.right->mine && facts.seen.right->offset > 0)
    return {true, facts.seen.right->offset, true};
  const bool mine = memory.primary == record.primary && memory.offset > 0;
  const bool told = record.state == StandbyState::released && record.offset > 0;
  Known out;
  out.known = mine && (told || memory.seen + kSeenWithin >= memory.right_seen);
  out.offset = std::max(memory.offset, told ? record.offset : 0);
  out.synced = mine && memory.synced != base::Instant{} && memory.synced + kSeenWithin >= memory.seen;
  return out;
}

void judge_data(Judgements& all, const StandbyFacts& facts, const StandbyRecord& record) {
  const ServerLook& look = own(facts);
  const Known known = known_of(facts, record);
  const bool replica = look.answers && !look.primary && look.closed && look.offset > 0;
  const bool synced = replica && known.known && known.synced;
  say(all, Gate::not_in_sync, synced,
      synced         ? fmt::format("the server here followed that of {} while it was last seen", record.primary)
      : !replica     ? std::string("the server here is no read-only replica with data of its primary")
      : !known.known ? fmt::format("this agent has not seen the server of {} take writes shortly before it was lost",
                                   record.primary)
                     : fmt::format("the link to the server of {} was down while that was last seen", record.primary));
  const std::int64_t lag = std::max<std::int64_t>(known.offset - look.offset, 0);
  say(all, Gate::candidate_lag, known.known && lag <= facts.spec.max_lag,
      known.known ? fmt::format("the server here lacks {} bytes of what the primary was seen to have; max_lag is {}",
                                lag, facts.spec.max_lag)
                  : "how far the server here is behind is not known");
  Judgements others;
  for (const auto& [member, address] : facts.spec.members) {
    const auto& rejoin = record.must_rejoin;  // what those have is lost already
    if (member == facts.node || member == record.primary ||
        std::find(rejoin.begin(), rejoin.end(), member) != rejoin.end())
      continue;
    const ServerLook& other = look_at(facts, member);
    if (!other.answers)
      say(others, Gate::member_unknown, false,
          fmt::format("the server of {} does not say what it has: {}", member, other.trouble));
    else if (!other.primary && other.offset > look.offset)
      say(others, Gate::another_is_ahead, false,
          fmt::format("the server of {} goes first: it has {} bytes, the one here {}", member, other.offset,
                      look.offset));
  }
  std::move(others.begin(), others.end(), std::back_inserter(all));
}

void judge_primary(Judgements& all, const StandbyFacts& facts, const StandbyRecord& record) {
  const ServerLook& look = look_at(facts, record.primary);
  say(all, Gate::primary_answers, !takes_writes(look),
      takes_writes(look) ? fmt::format("the server of {} takes writes; only its agent is away", record.primary)
                         : fmt::format("the server of {} is not seen to take writes", record.primary));
  for (const auto& [member, other] : facts.looks)
    if (member != facts.node && member != record.primary && takes_writes(other))
      say(all, Gate::two_primaries, false, fmt::format("the server of {} takes writes without a right to", member));
  const bool by_itself = record.starts_closed && (look.answers || record.state == StandbyState::released);
  const bool failed =
      facts.memory.fence_failed != base::Instant{} && facts.now < facts.memory.fence_failed + kProveAgain;
  const bool could = (by_itself || !facts.spec.fence.empty()) && !failed;
  say(all, Gate::fence_not_proven, could,
      could    ? fmt::format("that the server of {} takes no write can be proven", record.primary)
      : failed ? fmt::format("the proof that the server of {} takes no write failed; it is tried again", record.primary)
      : !record.starts_closed
          ? fmt::format("the server of {} may take writes when it is started, and there is no fence program",
                        record.primary)
          : fmt::format("the server of {} does not answer ({}), its agent has not given up the right, and there is no "
                        "fence program",
                        record.primary, look.trouble));
}

// Whether the own server may be the primary of the record again.
Judgements judge_resume(const StandbyFacts& facts, const StandbyRecord& record) {
  Judgements all;
  judge_own(all, facts);
  for (const auto& [member, other] : facts.looks)
    if (member != facts.node && takes_writes(other))
      say(all, Gate::two_primaries, false, fmt::format("the server of {} takes writes", member));
  const ServerLook& look = own(facts);
  if (!look.answers) return all;
  say(all, Gate::not_in_sync, look.primary,
      look.primary ? "the server here is the last primary" : "the server here was made a replica by others");
  const bool same = look.run_id == record.run_id;
  say(all, Gate::restarted_without_aof, same || look.durable,
      same           ? "the server here is the process that was the primary"
      : look.durable ? "the server here was restarted with its append-only file"
                     : "the server here was restarted without an append-only file: a replica may have more than it");
  return all;
}

// Without a record it is not known which server was the primary: there must be exactly one, by the word of all servers.
StandbyDecision decide_first(const StandbyFacts& facts) {
  Judgements all;
  const bool mine = facts.seen.right && facts.seen.right->mine;
  if (facts.seen.right && !mine)
    say(all, Gate::another_is_elected, false, fmt::format("{} has the right", facts.seen.right->node));
  for (const auto& [member, address] : facts.spec.members) {
    const ServerLook& look = look_at(facts, member);
    if (!look.answers)
      say(all, Gate::member_unknown, false, fmt::format("the server of {} does not answer: {}", member, look.trouble));
    else if (member != facts.node && look.primary)
      say(all, Gate::two_primaries, false,
          fmt::format("the server of {} is a primary, too; make it a replica by hand", member));
  }
  const bool replica = own(facts).answers && !own(facts).primary;
  judge_own(all, facts);
  StandbyDecision out{Move::none, replica ? "replica; no primary was ever elected" : "no primary was ever elected",
                      std::move(all)};
  if (replica) return out;
  if (out.closed() != nullptr) {
    if (mine) out.move = Move::drop;
    return out;
  }
  out.move = mine ? Move::adopt : Move::take;
  out.text = "the only primary there is";
  return out;
}

// A member could take over what this one gives up.
bool could_take_over(const StandbyFacts& facts) {
  return std::any_of(facts.looks.begin(), facts.looks.end(), [&](const auto& each) {
    const ServerLook& look = each.second;
    return each.first != facts.node && look.answers && !look.primary && !look.syncing && look.offset > 0 &&
           look.offset + facts.spec.max_lag >= facts.memory.offset;
  });
}

StandbyDecision decide_to_give_up(const StandbyFacts& facts, const StandbyRecord& record, std::string text) {
  Judgements all;
  judge_people(all, facts);
  const bool candidate = could_take_over(facts);
  say(all, Gate::no_candidate, candidate,
      candidate ? "another server could take over" : "no other server could take over: none answers and has the data");
  judge_cooldown(all, facts, record);
  const bool failed =
      facts.memory.fence_failed != base::Instant{} && facts.now < facts.memory.fence_failed + kProveAgain;
  say(all, Gate::fence_not_proven, !failed,
      failed ? "the proof that the server here takes no write failed; it is tried again"
             : "that the server here takes no write can be tried to be proven");
  StandbyDecision out{Move::give_up, std::move(text), std::move(all)};
  if (out.closed() != nullptr) out.move = Move::none;
  return out;
}

StandbyDecision decide_as_primary(const StandbyFacts& facts, const StandbyRecord& record) {
  const ServerLook& look = own(facts);
  const bool down = facts.health == model::Health::down;
  if (record.fence != facts.seen.right->fence) {  // the right was lost, and is here again
    StandbyDecision out{Move::adopt, "primary, after the right was lost", judge_resume(facts, record)};
    if (out.closed() != nullptr) out.move = Move::drop;
    return out;
  }
  if (record.state == StandbyState::released) return {Move::drop, "has given up the right"};
  if (!look.answers) {
    if (down) return decide_to_give_up(facts, record, "primary that does not answer");
    return {Move::none, "primary that does not answer"};
  }
  if (record.state == StandbyState::promoting) {
    if (!look.primary) return {look.gate ? Move::make_primary : Move::close, "is being promoted"};
    return {Move::complete, "is being promoted"};  // and opened behind that
  }
  if (!look.primary) return decide_to_give_up(facts, record, "primary that others made a replica");
  if (look.run_id != record.run_id) {
    StandbyDecision out{Move::adopt, "primary that was restarted", judge_resume(facts, record)};
    if (out.closed() == nullptr) return out;
    StandbyDecision other = decide_to_give_up(facts, record, "primary that was restarted");
    std::move(other.judgements.begin(), other.judgements.end(), std::back_inserter(out.judgements));
    out.move = other.move;
    return out;
  }
  if (look.closed) return {Move::open, "primary that is closed"};
  return {Move::none, "primary"};
}

StandbyDecision decide_to_follow(const StandbyFacts& facts, const StandbyRecord& record) {
  const ServerLook& look = own(facts);
  const bool marked =
      std::find(record.must_rejoin.begin(), record.must_rejoin.end(), facts.node) != record.must_rejoin.end();
  StandbyDecision out{Move::none, fmt::format("replica; {} is the primary", record.primary), {}};
  say(out.judgements, Gate::primary_lease_alive, false, fmt::format("{} has the right", facts.seen.right->node));
  if (!look.answers) {
    out.text = "server that does not answer";
    return out;
  }
  if (!look.closed) return {Move::close, "takes writes without a right to", out.judgements};
  if (address(facts, record.primary).empty()) {
    say(out.judgements, Gate::member_unknown, false,
        fmt::format("{} is the primary and no member in this agent's configuration", record.primary));
    return out;
  }
  if (facts.seen.right->node != record.primary || record.state != StandbyState::held) return out;
  if (!look.primary && look.follows == address(facts, record.primary)) {
    if (marked && look.link_up && !look.syncing) out.move = Move::rejoined;
    judge_own(out.judgements, facts);  // before it is needed
    return out;
  }
  if (marked) {
    out.text = "must rejoin: it may have writes that the primary has not";
    const bool may = facts.spec.mode == model::RecoveryMode::enforce || facts.approved;
    say(out.judgements, Gate::not_approved, may,
        may ? "the rejoin is approved"
            : "what the server here has beyond the primary is lost when it rejoins; fettle standby approve lets it");
    if (!may) return out;
  }
  judge_people(out.judgements, facts);
  if (out.closed() != nullptr) return out;
  out.move = Move::follow;
  return out;
}

StandbyDecision decide_as_candidate(const StandbyFacts& facts, const StandbyRecord& record) {
  const bool mine = facts.seen.right && facts.seen.right->mine;
  Judgements all;
  judge_people(all, facts);
  if (facts.seen.right && !mine)
    say(all, Gate::another_is_elected, false, fmt::format("{} is elected", facts.seen.right->node));
  judge_primary(all, facts, record);
  judge_own(all, facts);
  judge_data(all, facts, record);
  judge_cooldown(all, facts, record);
  const bool may = mine || facts.spec.mode != model::RecoveryMode::ask || facts.approved;
  say(all, Gate::not_approved, may,
      may ? "the promotion may begin by itself, or was approved" : "a person lets it begin: fettle standby approve");
  StandbyDecision out{mine ? Move::prove_fence : Move::take, "candidate", std::move(all)};
  if (out.closed() == nullptr) return out;
  if (mine && facts.health == model::Health::unknown) {  // an agent that was restarted after it was elected
    out.move = Move::none;
    return out;
  }
  out.move = mine ? Move::drop : own(facts).answers && !own(facts).closed ? Move::close : Move::none;
  return out;
}

}  // namespace

std::string_view to_string(StandbyGate gate) { return base::name_in(kGates, gate); }
std::string_view to_string(StandbyMove move) { return base::name_in(kMoves, move); }

const StandbyJudgement* StandbyDecision::closed() const {
  const auto found = std::find_if(judgements.begin(), judgements.end(), [](const StandbyJudgement& each) {
    return !each.open && each.gate != StandbyGate::primary_lease_alive;
  });
  return found == judgements.end() ? nullptr : &*found;
}

void remember(StandbyMemory& memory, const StandbyFacts& facts) {
  const ServerLook& here = own(facts);
  if (here.answers && facts.seen.known && here.run_id != memory.run_id) {
    memory.run_id = here.run_id;
    const auto& record = facts.seen.record;
    // An agent that was restarted finds the primary open, as the agent before it has left it.
    const bool known = record && record->primary == facts.node && record->run_id == here.run_id;
    memory.started_closed = here.gate_of_file || (known && record->starts_closed);
    memory.synced = {};
  }
  if (facts.seen.known && facts.seen.right) memory.right_seen = facts.now;
  if (!facts.seen.record) return;
  const std::string& primary = facts.seen.record->primary;
  // One that is being promoted has taken no write: what is known of the primary before it still holds.
  const bool opened = facts.seen.record->state != StandbyState::promoting;
  const bool restarted = opened && memory.primary_run != facts.seen.record->run_id;
  if (memory.primary != primary || (opened && !memory.opened) || restarted) {
    if (opened) {
      memory.offset = 0;
      memory.seen = memory.synced = {};
    }
    memory.primary = primary;
    memory.primary_run = facts.seen.record->run_id;
    memory.opened = opened;
  }
  const ServerLook& look = look_at(facts, primary);
  if (look.answers && look.primary && look.run_id == facts.seen.record->run_id) {
    memory.offset = std::max(memory.offset, look.offset);
    memory.seen = facts.now;
  }
  if (here.answers && !here.primary && here.link_up && !here.syncing && here.follows == address(facts, primary))
    memory.synced = facts.now;
}

StandbyDecision decide(const StandbyFacts& facts) {
  const std::optional<StandbyRecord>& record = facts.seen.record;
  if (Judgements manager = judge_manager(facts); !manager.empty()) {
    const bool mine = facts.seen.known && facts.seen.right && facts.seen.right->mine;
    return {mine ? Move::drop : Move::none, "is left to what manages it", std::move(manager)};
  }
  if (!facts.lease || !facts.seen.known || facts.seen.unreadable) {
    StandbyDecision out{Move::none, "waits for the store", {}};
    say(out.judgements, Gate::store_unknown, false,
        facts.seen.unreadable ? "the record in the store is none that this fettle reads"
        : !facts.lease        ? "this agent has no lease in the store; a primary without one takes no writes"
                              : "the store does not say who has the right: " + facts.seen.trouble);
    // Before the first record nothing is fettle's to close.
    if (!facts.lease && !facts.settling && record && takes_writes(own(facts))) out.move = Move::close;
    return out;
  }
  if (!record) return decide_first(facts);
  const bool mine = facts.seen.right && facts.seen.right->mine, primary = record->primary == facts.node;
  if (mine) return primary ? decide_as_primary(facts, *record) : decide_as_candidate(facts, *record);
  if (facts.seen.right) {
    if (primary && facts.seen.right->node == facts.node)
      return {Move::none,
              "waits for the end of the lease that an agent of this node before this one had",
              {{Gate::primary_lease_alive, false, "an earlier agent of this node has the right"}}};
    return facts.seen.right->node != record->primary && !primary ? decide_as_candidate(facts, *record)
                                                                 : decide_to_follow(facts, *record);
  }
  if (!primary) return decide_as_candidate(facts, *record);
  StandbyDecision out{Move::take, "primary without the right", judge_resume(facts, *record)};
  if (out.closed() != nullptr) out.move = takes_writes(own(facts)) ? Move::close : Move::none;
  return out;
}

}  // namespace recover
