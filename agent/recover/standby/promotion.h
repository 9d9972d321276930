// What an agent does for its member of a standby: a pure decision from what it sees now. Everything that is not known
// is a refusal, and each refusal has a name. The order of a promotion is: the right is taken, the server that may still
// be open is proven closed, the record names the new primary, its server becomes a primary that is closed, the record
// says that it holds, and only then it is opened. So no command that is late can open a server that has lost its right:
// one alone never does.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/health.h"
#include "recover/standby/election.h"
#include "recover/standby/standby_server.h"
#include "recover/standby/standby_spec.h"

namespace recover {

enum class StandbyGate {
  maintenance,
  paused,
  store_unknown,
  managed_by_sentinel,
  managed_by_cluster,
  managed_by_patroni,
  managed_by_repmgr,
  managed_by_pg_auto_failover,
  managed_by_cloudnative_pg,
  managed_by_galera,
  managed_by_maxscale,
  primary_lease_alive,
  another_is_elected,
  primary_answers,
  two_primaries,
  member_unknown,
  candidate_not_ready,
  starts_open,
  not_in_sync,
  other_timeline,
  candidate_lag,
  another_is_ahead,
  cooldown,
  too_few_observers,
  fence_not_proven,
  vetoed,
  not_approved,
  restarted_without_aof,
  restarted_not_durable,
  no_candidate,
  no_rejoin_program
};
std::string_view to_string(StandbyGate gate);

struct StandbyJudgement {
  StandbyGate gate{};
  bool open = false;
  std::string text{};  // a sentence for a person
};

// What the agent remembers from look to look.
struct StandbyMemory {
  // Of the server that the record names: its offset when it was last seen to take writes, and when that was.
  std::string primary{};
  std::int64_t offset = 0;
  base::Instant seen{};
  base::Instant right_seen{};    // when a member had the right
  base::Instant synced{};        // the own server had its link to that primary, and was not taking over its data
  std::string run_id{};          // of the own server's process that was looked at first
  bool started_closed = false;   // as it was found then
  base::Instant fence_failed{};  // when the last proof failed; 0: none did
  // The record has said that the primary holds the right: from then on only what was seen of it counts.
  bool opened = false;
  std::string primary_run{};  // the primary's process by the record, which counts its offset
  // Of PostgreSQL: the primary's timeline when it was last seen, whether it waited for replicas then, and whether the
  // own server was one of those; the timeline that the own process has come to.
  std::uint64_t timeline = 0, own_timeline = 0;
  bool synchronous = false, in_sync = false;
  std::uint64_t written = 0;  // fence of the right under which the own server was seen to take a write
  base::Instant vetoed{};     // when the veto program forbade a promotion; 0: it did not
  std::string veto{};         // and what it said
};

struct StandbyFacts {
  const StandbySpec& spec;
  std::string node;
  bool lease = false;
  bool settling = false;  // the agent has just started and has had no lease yet: one may be on its way
  ElectionView seen{};
  std::map<std::string, ServerLook> looks{};  // by member
  StandbyMemory memory{};
  model::Health health = model::Health::unknown;  // of the service here
  base::Instant now{};
  base::WallTime wall_now{};
  bool approved = false;
  std::optional<std::string> maintenance{}, paused{};  // people work on the service here, and what they said
};

enum class StandbyMove {
  none,
  close,         // the own server must take no write now
  take,          // ask for the right
  adopt,         // write the record for what is there: the first one, or after the right or the process is another
  drop,          // give the right back
  prove_fence,   // prove that the server that was the primary takes no write, then write the record
  make_primary,  // of the own replica, closed
  complete,      // record that the promotion is done
  open,          // the own server takes writes
  give_up,       // prove that the own server takes no write, record that, give the right back
  follow,        // the own server becomes a replica of the primary
  rejoined       // it is one: it need not be kept in mind any more
};
std::string_view to_string(StandbyMove move);

struct StandbyDecision {
  StandbyMove move = StandbyMove::none;
  std::string text{};                          // what this member is, or does, for a person
  std::vector<StandbyJudgement> judgements{};  // of what it would do; the first that is closed is why it does not
  // Why nothing is done; null: all are open. That another one is the primary is no reason to act, and does not count.
  const StandbyJudgement* closed() const;
};

// How long after the primary's agent was last there the primary itself must have been seen.
inline constexpr std::chrono::seconds kSeenWithin{30};
// After a proof that failed, and after a veto.
inline constexpr std::chrono::seconds kProveAgain{10};

// Takes what this look brings into the memory. `record` is the last one that is known.
void remember(StandbyMemory& memory, const StandbyFacts& facts);
StandbyDecision decide(const StandbyFacts& facts);

}  // namespace recover
