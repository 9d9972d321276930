#include "recover/standby/promotion.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/enum_names.h"
#include "recover/standby/judgements.h"

namespace recover {
namespace {

using Gate = StandbyGate;
using Move = StandbyMove;

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
    else if (look.system != own(facts).system && own(facts).answers)
      say(all, Gate::other_timeline, false,
          fmt::format("the server of {} comes from another initdb than the one here", member));
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
bool could_take_over(const StandbyFacts& facts, const StandbyRecord& record) {
  return std::any_of(facts.looks.begin(), facts.looks.end(), [&](const auto& each) {
    const ServerLook& look = each.second;
    return each.first != facts.node && !must_rejoin(record, each.first) && look.answers && !look.primary &&
           !look.syncing && look.offset > 0 && look.offset + facts.spec.max_lag >= facts.memory.offset;
  });
}

StandbyDecision decide_to_give_up(const StandbyFacts& facts, const StandbyRecord& record, std::string text) {
  Judgements all;
  judge_people(all, facts);
  const bool candidate = could_take_over(facts, record);
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
    if (!look.primary)
      return {look.gate || !facts.spec.closes() ? Move::make_primary : Move::close, "is being promoted"};
    return {Move::complete, "is being promoted"};  // and opened behind that
  }
  if (!look.primary && facts.spec.closes())
    return decide_to_give_up(facts, record, "primary that others made a replica");
  if (look.run_id != record.run_id || !look.primary) {
    StandbyDecision out{Move::adopt, "primary that was restarted", judge_resume(facts, record)};
    if (out.closed() == nullptr) return out;
    StandbyDecision other = decide_to_give_up(facts, record, "primary that was restarted");
    std::move(other.judgements.begin(), other.judgements.end(), std::back_inserter(out.judgements));
    out.move = other.move;
    return out;
  }
  if (look.closed) return {Move::open, "primary that is closed"};
  if (!facts.spec.closes() && facts.memory.written != facts.seen.right->fence)
    return {Move::open, "primary that has not shown that it takes a write"};
  return {Move::none, "primary"};
}

StandbyDecision decide_to_follow(const StandbyFacts& facts, const StandbyRecord& record) {
  const ServerLook& look = own(facts);
  const bool marked = must_rejoin(record, facts.node);
  StandbyDecision out{Move::none, fmt::format("replica; {} is the primary", record.primary), {}};
  say(out.judgements, Gate::primary_lease_alive, false, fmt::format("{} has the right", facts.seen.right->node));
  // A program can make it a replica of the primary, whatever it is now.
  if (!look.answers && (facts.spec.closes() || !marked)) {
    out.text = "server that does not answer";
    return out;
  }
  if (takes_writes(look)) return {Move::close, "takes writes without a right to", out.judgements};
  if (address(facts, record.primary).empty()) {
    say(out.judgements, Gate::member_unknown, false,
        fmt::format("{} is the primary and no member in this agent's configuration", record.primary));
    return out;
  }
  if (facts.seen.right->node != record.primary || record.state != StandbyState::held) return out;
  // One that has what the primary has not never follows by itself, and one that was only demoted not yet.
  const bool begins = marked && (look.stopped || !look.diverged.empty());
  if (look.answers && !look.primary && look.follows == address(facts, record.primary) && !begins) {
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
  if (!facts.spec.closes() && !marked)
    say(out.judgements, Gate::not_in_sync, false,
        fmt::format("the server here does not follow that of {}: its primary_conninfo must name all members",
                    record.primary));
  else if ((!facts.spec.closes() || !look.diverged.empty()) && facts.spec.rejoin.empty())
    say(out.judgements, Gate::no_rejoin_program, false,
        look.diverged.empty()
            ? "there is no rejoin program: make the server here a standby of the primary by hand"
            : "the server here has what the primary has not, and there is no rejoin program: give it a new copy by "
              "hand (" +
                  look.diverged + ")");
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
  judge_veto(all, facts);
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
    memory.own_timeline = 0;
    memory.written = 0;
  }
  if (here.answers) memory.own_timeline = std::max(memory.own_timeline, here.timeline);
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
      memory.timeline = 0;
      memory.synchronous = memory.in_sync = false;
    }
    memory.primary = primary;
    memory.primary_run = facts.seen.record->run_id;
    memory.opened = opened;
  }
  const ServerLook& look = look_at(facts, primary);
  if (look.answers && look.primary && look.run_id == facts.seen.record->run_id) {
    memory.offset = std::max(memory.offset, look.offset);
    memory.seen = facts.now;
    memory.timeline = look.timeline;
    memory.synchronous = look.synchronous;
    // With none there it acknowledges nothing: who was one before has all.
    if (here.answers && !look.sync.empty())
      memory.in_sync = std::find(look.sync.begin(), look.sync.end(), here.name) != look.sync.end();
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
