// Rollouts of the groups: what people ask for, and a judge who sees who acts. That a member of a batch acts is right if
// all batches before it have come up with the release, whatever the record says.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "cluster/rollout_record.h"
#include "cluster/store.h"
#include "simulation/judge.h"

namespace simulation {

class ReleaseJudge {
 public:
  struct Release {
    cluster::Rollout record;         // as the store has it
    int batch = 1;                   // as people asked for it
    std::vector<std::string> order;  // nodes
    std::set<std::string> up;        // nodes that have come up with it
    std::set<std::string> begun;     // nodes that have begun in this round
    base::Instant since{};           // that the state of the record is this
  };

  // The record of `group` is written.
  void written(base::Instant now, const std::string& group, const cluster::Record& record, Judge& judge) {
    const auto next = cluster::read_rollout(record.value);
    if (!next) return judge.violated(now, fmt::format("the record of {} cannot be read", group));
    Release& known = by_group[group];
    const bool another = known.record.id != next->id;
    if (another) {
      if (!known.record.id.empty() && known.record.state == cluster::RolloutState::running)
        judge.violated(now, fmt::format("a rollout of {} begins while another one is under way", group));
      known = {*next, next->batch, {}, {}, {}, now};
      for (const cluster::RolloutPart& part : next->parts) known.order.push_back(part.who.node);
    } else if (next->round != known.record.round) known.begun.clear();
    else if (known.record.state != cluster::RolloutState::running && next->state == cluster::RolloutState::running)
      judge.violated(now, fmt::format("the rollout of {} goes on after it was {}, and nobody has asked for that", group,
                                      to_string(known.record.state)));
    if (next->state != known.record.state) known.since = now;
    known.record = *next;
    if (next->state == cluster::RolloutState::done && known.up.size() < known.order.size())
      judge.violated(now, fmt::format("the rollout of {} is done, and {} of {} members have come up with it", group,
                                      known.up.size(), known.order.size()));
  }

  // A member drains or restarts its service for its part.
  void begins(base::Instant now, const std::string& group, const std::string& node, Judge& judge) {
    Release& release = by_group[group];
    const auto at = std::find(release.order.begin(), release.order.end(), node);
    if (at == release.order.end()) return judge.violated(now, node + " acts for a rollout that it has no part in");
    if (!release.begun.insert(node).second) return;
    const auto batch = (at - release.order.begin()) / release.batch;
    for (auto other = release.order.begin(); other != release.order.begin() + batch * release.batch; ++other)
      if (!release.up.contains(*other))
        judge.violated(now,
                       fmt::format("{} begins its part, and {} of a batch before it has not come up", node, *other));
    // The record is read before a part begins, and a watch tells of it.
    if (release.record.state != cluster::RolloutState::running && now - release.since > kLate)
      judge.violated(now,
                     fmt::format("{} begins its part of a rollout that was {} at {:.1f} s", node,
                                 to_string(release.record.state), base::seconds(release.since.time_since_epoch())));
  }
  void restarted(const std::string& group, const std::string& node, bool up) {
    Release& release = by_group[group];
    if (up) release.up.insert(node);
    else release.up.erase(node);
  }

  bool is_bad(const std::string& group) const { return bad.contains(group); }

  std::map<std::string, Release> by_group;
  std::set<std::string> bad;  // groups whose release does not come up
  int rollouts = 0, stops = 0, aborts = 0, resumes = 0, refused = 0;

 private:
  static constexpr base::Millis kLate{5'000};
};

}  // namespace simulation
