// The ledger of a plan: what it has tried and achieved for its service, how soon the fault came back, and what it would
// have done in dry run. Made from the incidents and runs that are kept; no record of its own. Pure.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/counterfactual.h"
#include "model/incident.h"

namespace model {

// One action that may heal, over all runs that were carried out.
struct CureUse {
  static constexpr std::size_t kBroken = 5;  // so often within a month: not bad luck
  std::string action;
  std::size_t used = 0, worked = 0, this_month = 0;  // worked: the run recovered; this_month: of those, in 30 days
  base::WallTime last{};

  bool is_broken() const { return this_month >= kBroken; }
};

struct Ledger {
  base::WallTime since{};  // of the oldest that is kept; the epoch: nothing is
  std::size_t faults = 0;  // that are over
  std::size_t open = 0;
  std::size_t flaps = 0;  // times it went down again within one incident

  // Of the faults that are over: what was done, or would have been.
  std::size_t itself = 0, person = 0, dependency = 0, held = 0;
  std::size_t would_act = 0;                     // faults
  std::size_t would_act_times = 0;               // actions
  std::size_t needless = 0;                      // faults that were over within the time of the verification each time
  std::size_t blamed = 0;                        // faults that were those of a dependency
  std::optional<base::Millis> saved_median{};    // of the others: how much later it came back without the plan
  std::map<std::string, std::size_t> held_by{};  // guards, over faults that they held to the end
  std::vector<std::string> counterfactuals{};    // in words, newest first, at most kShown
  static constexpr std::size_t kShown = 5;

  // Of the runs that were carried out.
  std::size_t attempts = 0, successes = 0, refused = 0;
  std::optional<base::Millis> median, worst;        // from the begin of a run to the end of one that recovered
  std::size_t relapses_hour = 0, relapses_day = 0;  // of the successes; those within an hour are within a day, too
  std::string refusal{};                            // of the newest run, if its action was refused
  std::vector<CureUse> cures{};                     // the most used first
};

using IncidentList = std::vector<std::shared_ptr<const Incident>>;

// `runs` has those that no incident knows, too; a run counts once, by its id. Runs of a rollout are no cure. A
// rehearsed fault is no fault, and its run an attempt all the same.
Ledger ledger_of(const std::string& service, const IncidentList& incidents, const std::vector<RecoveryReport>& runs,
                 base::WallTime now);

}  // namespace model
