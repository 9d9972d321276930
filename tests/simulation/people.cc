// What people do with rollouts: they begin one, sometimes of a release that does not come up, and the agent that they
// asked may die at once. One that has stopped they let go on when the release is mended; some they abort.
#include "cluster/group.h"
#include "simulation/agent.h"
#include "simulation/world.h"

namespace simulation {

using namespace std::chrono_literals;
using cluster::RolloutState;

Node* World::member_with_agent(const std::string& group) {
  std::vector<Node*> there;
  for (Node* each : members(group))
    if (each->agent && !each->agent->loop.paused()) there.push_back(each);
  return there.empty() ? nullptr : there[people.below(there.size())];
}

void World::begin_rollout(const std::string& group) {
  Node* starter = member_with_agent(group);
  if (starter == nullptr) return;
  const bool bad = people.below(4) == 0, dies = people.below(3) == 0;
  cluster::RolloutWish wish;
  wish.batch = fmt::format("{}", 1 + people.below(3));
  wish.deadline = base::Millis(60'000 + people.below(240'000));
  wish.by = "people";
  trace(*starter, bad ? "is asked for a rollout of a bad release" : "is asked for a rollout");
  starter->agent->rollouts->begin(
      group, wish, [this, group, starter, bad, dies](const base::Result<std::string>& begun) {
        trace(*starter, begun ? *begun : begun.error().text);
        if (!begun) return void(++rollouts.refused);
        ++rollouts.rollouts;
        if (bad) rollouts.bad.insert(group);
        if (!dies) return;
        ++figures.faults;
        starter->crashes = loop.after(base::Millis(people.below(5'000)), [this, starter] {
          starter->kill();
          starter->starts = loop.after(base::Millis(500 + people.below(90'000)), [starter] { starter->start(); });
        });
      });
}

void World::resume(const std::string& group) {
  Node* asked = member_with_agent(group);
  if (asked == nullptr) return;
  rollouts.bad.erase(group);
  // What was aborted in the middle stays so, down as it may be, until people say otherwise.
  for (Node* each : members(group)) {
    const auto status = each->agent ? each->agent->dispatcher->status(kService) : std::nullopt;
    if (status && status->reason == recover::GuardName::aborted)
      each->agent->dispatcher->recover(kService, recover::Start::now, "people",
                                       [](const base::Result<std::string>&) {});
  }
  trace(*asked, "is asked to resume");
  asked->agent->rollouts->resume(group, [this, asked](const base::Result<std::string>& answer) {
    trace(*asked, answer ? *answer : answer.error().text);
    ++(answer ? rollouts.resumes : rollouts.refused);
  });
}

void World::abort(const std::string& group) {
  Node* asked = member_with_agent(group);
  if (asked == nullptr) return;
  trace(*asked, "is asked to abort");
  asked->agent->rollouts->abort(group, "people", [this, asked](const base::Result<std::string>& answer) {
    trace(*asked, answer ? *answer : answer.error().text);
    ++(answer ? rollouts.aborts : rollouts.refused);
  });
}

void World::look_at_rollouts() {
  for (const auto& [group, nodes_of_group] : by_group) {
    const auto found = rollouts.by_group.find(group);
    const bool none = found == rollouts.by_group.end() || found->second.record.state == RolloutState::done;
    if (none) {
      if (people.below(10) == 0) begin_rollout(group);
    } else if (found->second.record.state == RolloutState::running) {
      if (people.below(40) == 0) abort(group);
    } else if (people.below(3) == 0) resume(group);
  }
  at_rollouts = loop.after(30s, [this] { look_at_rollouts(); });
}

// All that was begun comes to its end, also what was stopped by a fault.
void World::end_rollouts() {
  const auto is_open = [](const auto& entry) { return entry.second.record.state != RolloutState::done; };
  at_rollouts.reset();
  rollouts.bad.clear();
  for (int i = 0; i < 4 && std::any_of(rollouts.by_group.begin(), rollouts.by_group.end(), is_open); ++i) {
    for (const auto& [group, release] : rollouts.by_group)
      if (release.record.state != RolloutState::done && release.record.state != RolloutState::running) resume(group);
    loop.advance(15min);
  }
  for (const auto& [group, release] : rollouts.by_group)
    if (release.record.state != RolloutState::done)
      judge.violated(loop.now(), fmt::format("the rollout of {} is still {}: {}", group,
                                             to_string(release.record.state), release.record.why));
}

}  // namespace simulation
