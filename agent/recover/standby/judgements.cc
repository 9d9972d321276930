#include "recover/standby/judgements.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/enum_names.h"
#include "recover/standby/redis_server.h"

namespace recover {

using Gate = StandbyGate;

namespace {

constexpr std::array kGates{
    std::pair{Gate::maintenance, std::string_view("maintenance")},
    std::pair{Gate::paused, std::string_view("paused")},
    std::pair{Gate::store_unknown, std::string_view("store_unknown")},
    std::pair{Gate::managed_by_sentinel, std::string_view("managed_by_sentinel")},
    std::pair{Gate::managed_by_cluster, std::string_view("managed_by_cluster")},
    std::pair{Gate::managed_by_patroni, std::string_view("managed_by_patroni")},
    std::pair{Gate::managed_by_repmgr, std::string_view("managed_by_repmgr")},
    std::pair{Gate::managed_by_pg_auto_failover, std::string_view("managed_by_pg_auto_failover")},
    std::pair{Gate::managed_by_cloudnative_pg, std::string_view("managed_by_cloudnative_pg")},
    std::pair{Gate::managed_by_galera, std::string_view("managed_by_galera")},
    std::pair{Gate::managed_by_maxscale, std::string_view("managed_by_maxscale")},
    std::pair{Gate::primary_lease_alive, std::string_view("primary_lease_alive")},
    std::pair{Gate::another_is_elected, std::string_view("another_is_elected")},
    std::pair{Gate::primary_answers, std::string_view("primary_answers")},
    std::pair{Gate::two_primaries, std::string_view("two_primaries")},
    std::pair{Gate::member_unknown, std::string_view("member_unknown")},
    std::pair{Gate::candidate_not_ready, std::string_view("candidate_not_ready")},
    std::pair{Gate::starts_open, std::string_view("starts_open")},
    std::pair{Gate::not_in_sync, std::string_view("not_in_sync")},
    std::pair{Gate::other_timeline, std::string_view("other_timeline")},
    std::pair{Gate::candidate_lag, std::string_view("candidate_lag")},
    std::pair{Gate::another_is_ahead, std::string_view("another_is_ahead")},
    std::pair{Gate::cooldown, std::string_view("cooldown")},
    std::pair{Gate::too_few_observers, std::string_view("too_few_observers")},
    std::pair{Gate::fence_not_proven, std::string_view("fence_not_proven")},
    std::pair{Gate::vetoed, std::string_view("vetoed")},
    std::pair{Gate::not_approved, std::string_view("not_approved")},
    std::pair{Gate::restarted_without_aof, std::string_view("restarted_without_aof")},
    std::pair{Gate::restarted_not_durable, std::string_view("restarted_not_durable")},
    std::pair{Gate::no_candidate, std::string_view("no_candidate")},
    std::pair{Gate::no_rejoin_program, std::string_view("no_rejoin_program")}};

// By the word in ServerLook::managed.
struct Manager {
  std::string_view word;
  Gate gate;
  const char* text;  // of the member's server
};
constexpr std::array kManagers{
    Manager{"sentinel", Gate::managed_by_sentinel, "a Sentinel watches the server of {} and promotes by itself"},
    Manager{"cluster", Gate::managed_by_cluster,
            "the server of {} is part of a Redis Cluster, which promotes by itself"},
    Manager{"patroni", Gate::managed_by_patroni, "Patroni manages the server of {} and promotes by itself"},
    Manager{"repmgr", Gate::managed_by_repmgr, "the server of {} is set up for repmgr, which promotes"},
    Manager{"pg_auto_failover", Gate::managed_by_pg_auto_failover,
            "pg_auto_failover manages the server of {} and promotes by itself"},
    Manager{"cloudnative_pg", Gate::managed_by_cloudnative_pg,
            "the operator CloudNativePG manages the server of {} and promotes by itself"},
    Manager{"galera", Gate::managed_by_galera,
            "the server of {} is part of a Galera cluster, in which each one takes writes"},
    Manager{"maxscale", Gate::managed_by_maxscale,
            "a MaxScale has its lock at the server of {} and promotes by itself"},
};

bool started_closed(const StandbyFacts& facts) {
  return facts.memory.run_id == own(facts).run_id && facts.memory.started_closed;
}

std::string span(base::Duration d) {
  return base::format_duration(
      std::chrono::floor<std::chrono::seconds>(std::max<base::Duration>(d, base::Duration{0})));
}

}  // namespace

std::string_view to_string(StandbyGate gate) { return base::name_in(kGates, gate); }

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

bool must_rejoin(const StandbyRecord& record, const std::string& member) {
  return std::find(record.must_rejoin.begin(), record.must_rejoin.end(), member) != record.must_rejoin.end();
}

void say(Judgements& all, Gate gate, bool open, std::string text) { all.push_back({gate, open, std::move(text)}); }

void judge_people(Judgements& all, const StandbyFacts& facts) {
  const auto on = [](const std::string& text) { return text.empty() ? std::string("on") : "on: " + text; };
  say(all, Gate::maintenance, !facts.maintenance, facts.maintenance ? on(*facts.maintenance) : "off");
  say(all, Gate::paused, !facts.paused, facts.paused.value_or("no"));
}

Judgements judge_manager(const StandbyFacts& facts) {
  Judgements all;
  for (const auto& [member, look] : facts.looks) {
    const auto manager =
        std::find_if(kManagers.begin(), kManagers.end(),
                     [&, &managed = look.managed](const Manager& each) { return each.word == managed; });
    if (manager == kManagers.end()) continue;
    say(all, manager->gate, false, fmt::format(fmt::runtime(manager->text), member));
    break;
  }
  return all;
}

void judge_own(Judgements& all, const StandbyFacts& facts) {
  const ServerLook& look = own(facts);
  // One that takes writes goes on while its first probe has not run.
  const bool up = facts.health == model::Health::up ||
                  (facts.health == model::Health::unknown && look.primary && takes_writes(look));
  const bool ready = look.answers && !look.loading && !look.syncing && up && look.unfit.empty();
  say(all, Gate::candidate_not_ready, ready,
      ready                 ? "the server here answers and its service is not down"
      : !look.answers       ? "the server here does not answer: " + look.trouble
      : look.loading        ? "the server here is loading its data"
      : look.syncing        ? "the server here is taking over the whole data of its primary"
      : !look.unfit.empty() ? "the server here cannot be the primary: " + look.unfit
                            : fmt::format("the service is {} here", model::to_string(facts.health)));
  if (facts.spec.closes())
    say(all, Gate::starts_open, started_closed(facts),
        started_closed(facts)
            ? "the server here was started closed to writes"
            : fmt::format("the server here was not started with {} in its file: one that is started again would take "
                          "writes by itself",
                          facts.spec.kind == StandbyKind::mariadb
                              ? std::string("read_only=1")
                              : fmt::format("min-replicas-to-write {}", kClosedReplicas)));
  if (!look.diverged.empty())
    say(all, Gate::other_timeline, false,
        "the server here has transactions that its primary has not: " + look.diverged);
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

namespace {

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

std::uint64_t timeline_of(const StandbyFacts& facts) {
  return std::max(own(facts).timeline, facts.memory.own_timeline);
}

// Places on two timelines cannot be compared.
void judge_timeline(Judgements& all, const StandbyFacts& facts, const StandbyRecord& record) {
  const ServerLook& look = own(facts);
  if (record.system.empty() || !look.answers) return;
  const std::uint64_t here = timeline_of(facts);
  const bool seen = facts.memory.primary == record.primary && facts.memory.timeline != 0;
  const std::uint64_t wanted = seen ? facts.memory.timeline : record.timeline;
  const bool same = look.system == record.system && here == wanted;
  say(all, Gate::other_timeline, same,
      same ? fmt::format("the server here is on the primary's timeline {}", wanted)
      : look.system != record.system
          ? "the server here comes from another initdb than the primary"
          : fmt::format("the server here is on timeline {}, that of {} was on {}", here, record.primary, wanted));
}

}  // namespace

void judge_data(Judgements& all, const StandbyFacts& facts, const StandbyRecord& record) {
  const ServerLook& look = own(facts);
  const Known known = known_of(facts, record);
  const bool replica = look.answers && !look.primary && look.closed && look.offset > 0;
  // What a primary has acknowledged that waits for others is at those.
  const bool waited = facts.memory.primary == record.primary && facts.memory.synchronous && !facts.memory.in_sync;
  const bool synced = replica && known.known && known.synced && !waited;
  say(all, Gate::not_in_sync, synced,
      synced         ? fmt::format("the server here followed that of {} while it was last seen", record.primary)
      : !replica     ? std::string("the server here is no read-only replica with data of its primary")
      : !known.known ? fmt::format("this agent has not seen the server of {} take writes shortly before it was lost",
                                   record.primary)
      : waited ? fmt::format("the server of {} waited for synchronous standbys when it was last seen, and the one "
                             "here was none",
                             record.primary)
               : fmt::format("the link to the server of {} was down while that was last seen", record.primary));
  judge_timeline(all, facts, record);
  const std::int64_t lag = std::max<std::int64_t>(known.offset - look.offset, 0);
  say(all, Gate::candidate_lag, known.known && lag <= facts.spec.max_lag,
      known.known ? fmt::format("the server here lacks {} {} of what the primary was seen to have; max_lag is {}", lag,
                                facts.spec.unit(), facts.spec.max_lag)
                  : "how far the server here is behind is not known");
  Judgements others;
  for (const auto& [member, address] : facts.spec.members) {
    // What those have that must rejoin is lost already.
    if (member == facts.node || member == record.primary || must_rejoin(record, member)) continue;
    const ServerLook& other = look_at(facts, member);
    if (!other.answers)
      say(others, Gate::member_unknown, false,
          fmt::format("the server of {} does not say what it has: {}", member, other.trouble));
    else if (!other.primary &&
             (other.timeline > timeline_of(facts) || (other.timeline == look.timeline && other.offset > look.offset)))
      say(others, Gate::another_is_ahead, false,
          fmt::format("the server of {} goes first: it has {} {}, the one here {}", member, other.offset,
                      facts.spec.unit(), look.offset));
  }
  std::move(others.begin(), others.end(), std::back_inserter(all));
}

bool closed_by_own_word(const StandbyFacts& facts, const StandbyRecord& record) {
  const ServerLook& look = look_at(facts, record.primary);
  if (facts.spec.closes()) return record.starts_closed && look.answers;
  // While it is being promoted, the command that opens it may be on its way.
  return look.answers && look.closed && record.state != StandbyState::promoting;
}

bool closed_by_its_agent(const StandbyFacts& facts, const StandbyRecord& record) {
  return record.state == StandbyState::released && (record.starts_closed || !facts.spec.closes());
}

namespace {

// A server that answers others is not frozen or gone, and the fault is between this node and it.
void judge_observers(Judgements& all, const StandbyFacts& facts, const StandbyRecord& record) {
  std::vector<std::string> agree;
  if (!look_at(facts, record.primary).answers) agree.push_back(facts.node);
  for (const StandbyObservation& each : facts.seen.observations)
    if (each.node != facts.node && each.node != record.primary && facts.spec.members.contains(each.node) &&
        std::find(each.unreached.begin(), each.unreached.end(), record.primary) != each.unreached.end())
      agree.push_back(each.node);
  const auto wanted = static_cast<std::size_t>(facts.spec.observers);
  say(all, Gate::too_few_observers, agree.size() >= wanted,
      fmt::format("{} of the {} agents that must not reach the server of {} do not: {}", agree.size(), wanted,
                  record.primary, agree.empty() ? "none" : fmt::format("{}", fmt::join(agree, ", "))));
}

}  // namespace

void judge_veto(Judgements& all, const StandbyFacts& facts) {
  if (facts.spec.veto.empty()) return;
  const bool vetoed = facts.memory.vetoed != base::Instant{} && facts.now < facts.memory.vetoed + kProveAgain;
  say(all, Gate::vetoed, !vetoed,
      vetoed ? fmt::format("the veto program forbids it, and is asked again: {}", facts.memory.veto)
             : "the veto program is asked before the fence");
}

void judge_primary(Judgements& all, const StandbyFacts& facts, const StandbyRecord& record) {
  const ServerLook& look = look_at(facts, record.primary);
  say(all, Gate::primary_answers, !takes_writes(look),
      takes_writes(look) ? fmt::format("the server of {} takes writes; only its agent is away", record.primary)
                         : fmt::format("the server of {} is not seen to take writes", record.primary));
  for (const auto& [member, other] : facts.looks)
    if (member != facts.node && member != record.primary && takes_writes(other))
      say(all, Gate::two_primaries, false, fmt::format("the server of {} takes writes without a right to", member));
  const bool by_itself = closed_by_own_word(facts, record) || closed_by_its_agent(facts, record);
  if (!by_itself && facts.spec.observers > 1) judge_observers(all, facts, record);
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

Judgements judge_resume(const StandbyFacts& facts, const StandbyRecord& record) {
  Judgements all;
  judge_own(all, facts);
  for (const auto& [member, other] : facts.looks)
    if (member != facts.node && takes_writes(other))
      say(all, Gate::two_primaries, false, fmt::format("the server of {} takes writes", member));
  const ServerLook& look = own(facts);
  if (!look.answers) return all;
  // One that was started as a standby has what it had, and is promoted again.
  const bool again = !facts.spec.closes() && !look.primary;
  say(all, Gate::not_in_sync, look.primary || again,
      look.primary ? "the server here is the last primary"
      : again      ? "the server here is the last primary, started as a standby"
                   : "the server here was made a replica by others");
  if (again) judge_timeline(all, facts, record);
  const bool same = look.run_id == record.run_id;
  const bool aof = facts.spec.kind != StandbyKind::mariadb;
  say(all, aof ? Gate::restarted_without_aof : Gate::restarted_not_durable, same || look.durable,
      same           ? "the server here is the process that was the primary"
      : look.durable ? fmt::format("the server here was restarted with {}", aof ? "its append-only file" : "all it had")
      : aof          ? "the server here was restarted without an append-only file: a replica may have more than it"
            : "the server here was restarted without sync_binlog=1 and innodb_flush_log_at_trx_commit=1: a replica may "
              "have more than it");
  return all;
}

}  // namespace recover
