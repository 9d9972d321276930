// The parts of a fleet in virtual time: nodes with their services, and what they share.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "cluster/store.h"
#include "fakes/fake_agent_checks.h"
#include "fakes/fake_loop.h"
#include "fakes/fake_peers.h"
#include "fakes/fake_state.h"
#include "fakes/probe_world.h"
#include "simulation/judge.h"
#include "simulation/rollouts.h"
#include "simulation/simulation.h"
#include "simulation/store.h"

namespace simulation {

inline const std::string kService = "order";

struct World;

// One node: a service, and the agent that looks after it, if it runs.
struct Node {
  struct Agent;

  Node(World& w, std::string n, std::string g, cluster::GroupSettings s);
  ~Node();
  void start();
  void kill();
  void crash();
  void poke();  // its agent probes it soon

  World& world;
  const std::string name, group;
  const cluster::GroupSettings settings;
  bool up = true, slow = false, drained = false, cut_off = false;
  base::Instant broken_until{};  // no restart helps before
  base::Instant went_on{};       // after it stood still or was cut off
  bool acting = false;
  loop::Handle end_of_action, reconnects, starts, resumes, crashes;
  fakes::FakeState::Tables disk;
  std::unique_ptr<Agent> agent;
};

struct World {
  explicit World(const Settings& s);

  void trace(const Node& node, std::string_view what) const;
  void fault();
  int slow_release(const std::string& group);
  int bad_release(const std::string& group);
  int storm(const std::string& group);
  void cut_off(Node& node);
  void stand_still(Node& node);
  void lose_leader();
  struct Watched {
    base::Instant until{};
    std::uint64_t revision = 0;  // that was seen
  };
  void look();
  void look_at(const std::string& group, Watched& seen);
  std::optional<cluster::Group> known(const std::string& group);  // as the store has it
  cluster::Group truth(const std::string& group);                 // as the agents have it that run
  const std::vector<Node*>& members(const std::string& group) const { return by_group.at(group); }
  void next_fault();
  void measure();
  void finish();
  Node* member_with_agent(const std::string& group);
  void begin_rollout(const std::string& group);
  void resume(const std::string& group);
  void abort(const std::string& group);
  void look_at_rollouts();
  void end_rollouts();
  Node& any() { return *nodes[random.below(nodes.size())]; }

  const Settings settings;
  fakes::FakeLoop loop;
  base::Random random, people;
  bool calm = false;  // every restart helps
  StoreServer store;
  fakes::PeerNetwork network{loop};
  std::map<std::string, std::shared_ptr<const cluster::Settings>> peers;  // by group
  fakes::FakeSystemd systemd{loop};
  fakes::FakeSpawner spawner{loop};
  fakes::FakeDialer dialer{loop};
  fakes::FakeAgentChecks agent_checks;
  Judge judge;
  ReleaseJudge rollouts;
  Figures figures;
  std::map<std::string, Watched> watched;  // groups with a fault lately
  std::vector<std::unique_ptr<Node>> nodes;
  std::map<std::string, std::vector<Node*>> by_group;
  loop::Handle timer, tick, at_rollouts;
};

}  // namespace simulation
