// What goes wrong.
#include <cmath>

#include "simulation/agent.h"
#include "simulation/world.h"

namespace simulation {

using namespace std::chrono_literals;

// Two members crash and cannot be restarted for a while; all others are slow, and an alert of theirs fires too.
int World::slow_release(const std::string& group) {
  int count = 0;
  for (Node* each : members(group)) {
    if (count++ < 2) each->broken_until = loop.now() + 2min, each->crash();
    else each->slow = true, each->poke();
  }
  return count;
}

// All members go down within a minute, and no restart helps.
int World::bad_release(const std::string& group) {
  for (Node* each : members(group)) {
    each->broken_until = loop.now() + 3min;
    each->crashes = loop.after(base::Millis(random.below(60'000)), [each] { each->crash(); });
  }
  return settings.group_size;
}

int World::storm(const std::string& group) {
  const int hit = 2 + static_cast<int>(random.below(static_cast<std::uint64_t>(settings.group_size) - 1));
  for (int i = 0; i < hit; ++i) members(group)[static_cast<std::size_t>(i)]->crash();
  return hit;
}

void World::cut_off(Node& node) {
  trace(node, "is cut off");
  node.cut_off = true;
  for (Node* other : members(node.group))
    if (other != &node) network.cut(node.name, other->name);
  node.reconnects = loop.after(base::Millis(5'000 + random.below(55'000)), [this, &node] {
    trace(node, "is connected again");
    node.cut_off = false;
    node.went_on = loop.now();
    for (Node* other : members(node.group)) {
      network.gone.erase({node.name, other->name});
      network.gone.erase({other->name, node.name});
    }
  });
}

void World::lose_leader() {
  const base::Millis time(1'000 + random.below(random.below(4) == 0 ? 240'000 : 20'000));
  if (!settings.trace.empty())
    fmt::print("  {:.2f} s: the store has no leader for {}\n", base::seconds(loop.now().time_since_epoch()),
               base::format_duration(time));
  store.lose_leader(time);
}

void World::stand_still(Node& node) {
  trace(node, "stands still");
  if (node.agent) node.agent->loop.pause();
  node.resumes = loop.after(base::Millis(1'000 + random.below(30'000)), [this, &node] {
    trace(node, "goes on");
    node.went_on = loop.now();
    if (node.agent) node.agent->loop.resume();
  });
}

void World::trace(const Node& node, std::string_view what) const {
  if (node.group != settings.trace) return;
  fmt::print("  {:.2f} s: {} {}\n", base::seconds(loop.now().time_since_epoch()), node.name, what);
}

void World::fault() {
  Node& node = any();
  const std::uint64_t kind = random.below(100);
  int count = 1;
  if (kind < 40) node.crash();
  else if (kind < 50) node.slow = true, node.poke();
  else if (kind < 65) cut_off(node);
  else if (kind < 80) {
    node.kill();
    node.starts = loop.after(base::Millis(500 + random.below(30'000)), [&node] { node.start(); });
  } else if (kind < 88) stand_still(node);
  else if (kind < 92) lose_leader();
  else if (kind < 95) count = storm(node.group);
  else if (kind < 98) count = slow_release(node.group);
  else count = bad_release(node.group);
  figures.faults += count;
}
void World::next_fault() {
  if (figures.faults >= settings.faults) return;
  const double wait = -std::log(1.0 - random.unit()) * base::seconds(settings.mean_pause);
  timer = loop.after(base::Millis(static_cast<std::int64_t>(wait * 1000) + 1), [this] {
    fault();
    next_fault();
  });
}

}  // namespace simulation
