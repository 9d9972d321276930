// What must never happen, as code. The judge sees what services and the store are, not what agents believe.
#pragma once

#include <fmt/format.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "cluster/group.h"

namespace simulation {

class Judge {
 public:
  static constexpr std::size_t kKept = 20;

  void violated(base::Instant now, std::string text) {
    if (violations.size() >= kKept) return;
    violations.push_back(fmt::format("at {:.1f} s: {}", base::seconds(now.time_since_epoch()), std::move(text)));
  }

  struct Act {
    std::string group, node;
    bool alone = false;                     // by the local budget: the store did not answer
    bool serves = true;                     // the service is up and not drained: something is taken away
    bool deaf = false;                      // it could not hear the store, at most seconds ago
    const cluster::Group* known = nullptr;  // the group as the store has it; null: there is no store
  };
  // An action that interrupts a service begins.
  void begins(base::Instant now, const cluster::GroupSettings& settings, const Act& act) {
    if (!act.alone) {
      int others = 0;
      for (const std::string& node : acting[act.group]) others += node != act.node ? 1 : 0;
      if (others >= settings.max_concurrent)
        violated(now, fmt::format("{} of {} acts beside {}", act.node, act.group, fmt::join(acting[act.group], ", ")));
      acting[act.group].insert(act.node);
      if (act.known != nullptr) of_store(now, settings, act);
    }
  }
  void ends(const std::string& group, const std::string& node) { acting[group].erase(node); }

  // Once a second or oftener, a group as the store has it.
  void look(base::Instant now, const cluster::GroupSettings& settings, const cluster::Group& known) {
    int healthy = 0;
    for (const cluster::Member& member : known.members) healthy += member.health == model::Health::up ? 1 : 0;
    const int to_spare = healthy - settings.min_healthy.of(static_cast<int>(known.members.size()));
    const auto [at, is_new] = spare.emplace(settings.group, to_spare);
    if (to_spare < std::exchange(at->second, to_spare)) fell[settings.group] = now;
    if (cluster::judge_panic(settings, known).open) panics.erase(settings.group);
    else if (panics.emplace(settings.group, now).second) ++panics_seen;
  }

  std::vector<std::string> violations;
  std::map<std::string, std::set<std::string>> acting;  // by group: nodes
  std::map<std::string, base::Instant> panics;          // by group, since when
  int panics_seen = 0;

 private:
  // A plan looks at the group, and acts within this time. One that is cut off in the middle of a run acts by what it
  // knew, as long as its lease holds: two thirds of the ttl from its last renewal.
  static constexpr base::Millis kLate{5'000}, kLateWhenDeaf{20'000 * 2 / 3};

  void of_store(base::Instant now, const cluster::GroupSettings& settings, const Act& act) {
    const cluster::Identity self{act.node, "order"};
    bool holds = false;
    for (const cluster::Holder& holder : act.known->holders) holds = holds || holder.who == self;
    if (!holds) violated(now, fmt::format("{} of {} acts without a slot in the store", act.node, act.group));
    for (const cluster::Judgement& each : cluster::judge(settings, *act.known, self))
      if (each.brake == cluster::Brake::min_healthy && !each.open && act.serves) low(now, act, each.text);
    const auto since = panics.find(act.group);
    const base::Millis late = act.deaf ? kLateWhenDeaf : kLate;
    if (since != panics.end() && now - since->second > late)
      violated(now, fmt::format("{} of {} is restarted in a panic that began at {:.1f} s", act.node, act.group,
                                base::seconds(since->second.time_since_epoch())));
  }

  // Members that fall ill after the slot was given are not our doing, neither is one that comes and is not up, of which
  // a part in percent asks for more others: it counts when it stays so.
  void low(base::Instant now, const Act& act, const std::string& text) {
    const auto since = fell.find(act.group);
    if (since != fell.end() && now - since->second <= (act.deaf ? kLateWhenDeaf : kLate)) return;
    violated(now, fmt::format("{} of {} is interrupted although {}", act.node, act.group, text));
  }

  std::map<std::string, int> spare;           // by group: members that are up beyond those that must be
  std::map<std::string, base::Instant> fell;  // by group: when they were last seen to become fewer
};

}  // namespace simulation
