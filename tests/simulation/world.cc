#include "simulation/world.h"

#include <algorithm>
#include <utility>

#include "cluster/registry.h"
#include "simulation/agent.h"

namespace simulation {

using namespace std::chrono_literals;
using model::Health;

World::World(const Settings& s) : settings(s), random(s.seed), people(s.seed + 2), store(loop, s.seed + 1) {
  const int groups = std::max(1, settings.agents / settings.group_size);
  for (int g = 0; g < groups; ++g) {
    const std::string group = fmt::format("g{}", g);
    std::string urls;
    for (int i = 0; i < settings.group_size; ++i)
      urls += fmt::format("{}\"http://{}n{}:1\"", i == 0 ? "" : ", ", group, i);
    config::Errors errors;
    for (const cluster::StoreType* type : cluster::store_types())
      if (type->name == "peers")
        peers[group] = type->parse(config::Node::parse("{urls: [" + urls + "]}", "f", errors), "fleet.peers", errors);
  }
  store.written = [this](const cluster::Record& record) {
    const std::string group = record.key.substr(0, record.key.find('/'));
    const bool stopped = rollouts.by_group[group].record.state == cluster::RolloutState::stopped;
    rollouts.written(loop.now(), group, record, judge);
    rollouts.stops += !stopped && rollouts.by_group[group].record.state == cluster::RolloutState::stopped ? 1 : 0;
  };
  network.delay = [this] { return base::Millis(random.below(200) == 0 ? random.below(1'500) : 1 + random.below(20)); };
  for (int g = 0; g < groups; ++g)
    for (int i = 0; i < settings.group_size; ++i) {
      const std::string group = fmt::format("g{}", g);
      nodes.push_back(std::make_unique<Node>(*this, fmt::format("g{}n{}", g, i), group,
                                             cluster::GroupSettings{group, 1 + g % 2, {70, true}, 50}));
      by_group[group].push_back(nodes.back().get());
    }
}

std::optional<cluster::Group> World::known(const std::string& group) {
  if (settings.peers) return std::nullopt;
  store.expire();
  cluster::Reading reading;
  const std::string prefix = cluster::group_prefix(group);
  for (auto at = store.entries.lower_bound(prefix); at != store.entries.end() && at->first.starts_with(prefix); ++at)
    reading.entries.push_back(at->second);
  return cluster::read_group(group, reading);
}

cluster::Group World::truth(const std::string& group) {
  cluster::Group out;
  for (const Node* node : members(group))
    if (node->agent) out.members.push_back({{node->name, kService}, node->agent->health});
  return out;
}

void World::look_at(const std::string& group, Watched& seen) {
  const std::uint64_t revision = store.last_change[group + "/"];
  if (!settings.peers && std::exchange(seen.revision, revision) == revision) return;
  const auto there = settings.peers ? truth(group) : *known(group);
  judge.look(loop.now(), members(group).front()->settings, there);
}

// Groups in which something happened: whether they are beyond their threshold, and whether members fell ill. Beyond it
// no agent restarts anything, so after a while people come and mend the group.
void World::look() {
  const base::Instant now = loop.now();
  store.expire();
  for (auto& [group, seen] : watched) {
    const auto panic = judge.panics.find(group);
    if (panic != judge.panics.end() && now - panic->second > 3min)
      for (Node* node : members(group)) node->up = true, node->broken_until = {}, node->poke();
    look_at(group, seen);
  }
  std::erase_if(watched, [&](const auto& entry) { return entry.second.until < now; });
  tick = loop.after(250ms, [this] { look(); });
}
// Requests of an agent at rest, and when a part of each group is down at once.
void World::measure() {
  const auto asked = [this] {
    return static_cast<double>(settings.peers ? static_cast<std::uint64_t>(network.requests) : store.requests);
  };
  const auto all = static_cast<double>(nodes.size());
  double before = asked();
  loop.advance(10min);
  figures.rest_per_minute = (asked() - before) / all / 10;
  before = asked();
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (i % static_cast<std::size_t>(settings.group_size) < static_cast<std::size_t>(settings.group_size) * 2 / 5)
      nodes[i]->crash();
  loop.advance(1min);
  figures.storm_per_minute = (asked() - before) / all;
}

// Nothing is wrong any more: everything must come right.
void World::finish() {
  network.heal();
  store.down_until = {};
  for (const auto& node : nodes) {
    for (loop::Handle* each : {&node->reconnects, &node->starts, &node->resumes, &node->crashes}) each->reset();
    node->cut_off = node->slow = false;
    node->broken_until = {};
    if (node->agent && node->agent->loop.paused()) node->agent->loop.resume();
    node->start();
    node->poke();
  }
  loop.advance(30min);
  calm = true;
  loop.advance(15min);
  end_rollouts();
  for (const auto& node : nodes) {
    const auto status = node->agent->dispatcher->status(kService);
    if (!node->up) judge.violated(loop.now(), node->name + " is still down");
    if (node->drained) judge.violated(loop.now(), node->name + " is still drained");
    if (status && !status->recovery.empty()) judge.violated(loop.now(), node->name + " still has a run");
  }
  for (const auto& [key, entry] : store.entries)
    if (cluster::is_slot_key(key)) judge.violated(loop.now(), key + " is still taken");
}

Figures simulate(const Settings& settings) {
  World world(settings);
  const base::Instant began = world.loop.now();
  world.tick = world.loop.after(250ms, [&world] { world.look(); });
  world.loop.advance(2min);
  world.measure();
  world.next_fault();
  if (settings.rollouts) world.look_at_rollouts();
  while (world.figures.faults < settings.faults) world.loop.advance(1min);
  world.finish();
  Figures out = std::move(world.figures);
  out.requests = settings.peers ? static_cast<std::uint64_t>(world.network.requests) : world.store.requests;
  out.panics = world.judge.panics_seen;
  out.rollouts = world.rollouts.rollouts;
  out.stops = world.rollouts.stops;
  out.resumes = world.rollouts.resumes;
  out.aborts = world.rollouts.aborts;
  out.violations = world.judge.violations;
  out.virtual_time = world.loop.now() - began;
  return out;
}

}  // namespace simulation
