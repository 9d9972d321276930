// Rollouts as far as this agent has a part in them: reads their records, does the parts of its own services, writes
// what came of that, and what people ask for. What is to be done is decided by cluster/rollout. Loop thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "app/fleet_link.h"
#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "cluster/rollout.h"
#include "loop/scheduler.h"
#include "recover/dispatcher.h"

namespace app {

class Rollouts {
 public:
  using Done = std::function<void(base::Result<std::string>)>;  // a sentence for a person, or why nothing was done

  // `news` of what this agent has written. `link` and `dispatcher` live longer.
  Rollouts(loop::Scheduler& scheduler, base::Random random, const FleetLink& link, recover::Dispatcher& dispatcher,
           std::function<void(const std::string& group, const cluster::RolloutNews& news)> news);

  // What is known of the fleet, of plans or of runs is another thing: it is looked at in a later turn.
  void look_soon();

  // `done` once, in a later turn, when the store has taken it.
  void begin(const std::string& group, cluster::RolloutWish wish, Done done);
  void resume(const std::string& group, Done done);
  void abort(const std::string& group, const std::string& by, Done done);

 private:
  // What a person asked for, written over the record as it is then.
  struct Change {
    std::function<base::Result<cluster::Rollout>(const cluster::Group& now)> make;
    cluster::RolloutNews news;
    std::function<std::string(const cluster::Rollout& written)> sentence;
    Done done;
    std::uint64_t after = 0;  // readings of the group: it is made of a later one
    base::Instant deadline{};
    int tries = 0;
    std::string written{};  // the sentence: it is told when the group was read again, so that pages show it
  };
  // Of a group.
  struct Known {
    std::uint64_t revision = 0;
    base::Instant first_seen{};  // of the revision
    bool writes = false;
    bool joined = false;            // and the group was read since
    std::uint64_t fresh_after = 0;  // readings of the group
    base::Instant again{};          // a record that was just written may not have been read yet
    std::deque<Change> changes{};
  };

  void look();
  bool look_at(const std::string& group, Known& known);
  bool carry_out_change(const std::string& group, Known& known);
  void look_at_part(const std::string& group, Known& known, const cluster::Identity& who);
  void begin_run(const cluster::Rollout& rollout, const std::string& service);
  void abort_run(const cluster::Rollout& rollout, const std::string& service);
  cluster::PartRun run_of(const cluster::Rollout& rollout, const std::string& service) const;
  cluster::PartGate gate_of(const cluster::Rollout& rollout, const std::string& service) const;
  void write(const std::string& group, const cluster::Rollout& next,
             std::function<void(const cluster::Answer<cluster::Nothing>&)> then);
  base::Result<> may_change(const std::string& group) const;
  void ask(const std::string& group, Change change);

  loop::Scheduler& scheduler_;
  base::Random random_;
  const FleetLink& link_;
  recover::Dispatcher& dispatcher_;
  std::function<void(const std::string&, const cluster::RolloutNews&)> news_;
  const cluster::Fleet* seen_ = nullptr;  // the fleet of the last look
  std::uint64_t generation_ = 0;          // of it: whose records these are
  std::map<std::string, Known> groups_;
  std::set<std::string> starting_;                 // services whose run was asked for
  std::map<std::string, std::string> abort_told_;  // by service: the run that was told to end
  loop::Handle look_, tick_;
};

}  // namespace app
