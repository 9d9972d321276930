#include "simulation/world.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "app/fleet_slots.h"
#include "cluster/fleet.h"
#include "cluster/registry.h"
#include "fakes/fake_agent_checks.h"
#include "fakes/fake_service_view.h"
#include "fakes/fake_state.h"
#include "fakes/probe_world.h"
#include "recover/dispatcher.h"
#include "recover/traffic/traffic_controller.h"
#include "simulation/judge.h"

namespace simulation {
namespace {

using namespace std::chrono_literals;
using model::Health;

constexpr base::Millis kTtl{20'000};
const std::string kService = "order";

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
  bool acting = false;
  loop::Handle end_of_action, reconnects, starts, resumes, crashes;
  fakes::FakeState::Tables disk;
  std::string lease;
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
    int healthy = 0;
  };
  void look();
  void look_at(const std::string& group, Watched& seen);
  std::optional<cluster::Group> known(const std::string& group);  // as the store has it
  cluster::Group truth(const std::string& group);                 // as the agents have it that run
  const std::vector<Node*>& members(const std::string& group) const { return by_group.at(group); }
  void next_fault();
  void measure();
  void finish();
  Node& any() { return *nodes[random.below(nodes.size())]; }

  const Settings settings;
  fakes::FakeLoop loop;
  base::Random random;
  StoreServer store;
  fakes::PeerNetwork network{loop};
  std::map<std::string, std::unique_ptr<const cluster::Settings>> peers;  // by group
  fakes::FakeSystemd systemd{loop};
  fakes::FakeSpawner spawner{loop};
  fakes::FakeDialer dialer{loop};
  fakes::FakeAgentChecks agent_checks;
  Judge judge;
  Figures figures;
  std::map<std::string, Watched> watched;  // groups with a fault lately
  std::vector<std::unique_ptr<Node>> nodes;
  std::map<std::string, std::vector<Node*>> by_group;
  loop::Handle timer, tick;
};

// Interrupts the service, or gives back what was drained.
class Action final : public recover::Action {
 public:
  enum class Kind { drain, restart, undrain };
  Action(Node& node, Kind kind) : node_(node), kind_(kind) {}
  loop::Handle run(const recover::Context& context, const recover::Trigger& trigger, base::Instant deadline,
                   std::function<void(recover::ActionResult)> done) const override;
  std::string text() const override {
    return kind_ == Kind::drain ? "drain" : kind_ == Kind::restart ? "restart" : "undrain";
  }
  bool may_heal() const override { return kind_ == Kind::restart; }
  bool moves_traffic() const override { return kind_ != Kind::restart; }
  bool disrupts() const override { return kind_ != Kind::undrain; }

 private:
  Node& node_;
  Kind kind_;
};

recover::Step step(Node& node, Action::Kind kind) {
  recover::Step out;
  out.action = std::make_unique<Action>(node, kind);
  out.text = out.action->text();
  if (kind == Action::Kind::restart) out.verify = recover::Verify{1, 20s};
  return out;
}

std::unique_ptr<recover::PlanSpec> plan_of(Node& node) {
  auto spec = std::make_unique<recover::PlanSpec>();
  spec->service = kService;
  spec->mode = model::RecoveryMode::enforce;
  spec->probes = {"http"};
  spec->when = {{"alert", "ServiceDown"}};
  spec->guards.agent_uptime = spec->guards.cooldown = base::Millis{0};
  spec->budget = {1'000'000, 1h, {1s, 2, 20s, 0.2, 1min}};
  spec->steps.push_back(step(node, Action::Kind::drain));
  spec->steps.push_back(step(node, Action::Kind::restart));
  spec->steps.push_back(step(node, Action::Kind::restart));
  spec->finally.push_back(step(node, Action::Kind::undrain));
  return spec;
}

// The slots of the agent, as a mutant has them, and what was answered.
class WatchedSlots final : public recover::Slots {
 public:
  WatchedSlots(app::FleetSlots& slots, loop::Scheduler& loop, const Settings& settings)
      : slots_(slots), loop_(loop), settings_(settings) {}
  loop::Handle acquire(const recover::SlotRequest& request, std::function<void(recover::SlotAnswer)> done,
                       std::function<void(recover::Guard)> lost) override {
    const auto watch = [this, done = std::move(done)](const recover::SlotAnswer& answer) {
      if (answer.kind == recover::SlotAnswer::Kind::yes) alone = answer.fence == 0 && !settings_.peers;
      done(answer);
    };
    if (settings_.mutant != Mutant::no_slots) return slots_.acquire(request, watch, std::move(lost));
    return loop_.after({}, [watch] {
      watch({recover::SlotAnswer::Kind::yes, {recover::GuardName::node_busy, true, ""}, 1});
    });
  }
  void release(const std::string& service) override {
    if (settings_.mutant != Mutant::no_release) slots_.release(service);
  }
  std::vector<recover::Guard> seen(const std::string& service) const override {
    if (settings_.mutant == Mutant::no_slots) return {{recover::GuardName::node_busy, true, ""}};
    return slots_.seen(service);
  }
  void on_free(std::function<void()> then) override { slots_.on_free(std::move(then)); }

  bool alone = false;

 private:
  app::FleetSlots& slots_;
  loop::Scheduler& loop_;
  const Settings& settings_;
};

struct Node::Agent final : recover::ServiceView {
  explicit Agent(Node& n);
  ~Agent() override { node.world.network.shown.erase(node.name); }

  Health service_health(const std::string&) const override { return health; }
  Health latest(const std::string&) const override { return node.up ? Health::up : Health::down; }
  std::optional<base::Duration> service_uptime(const std::string&) const override { return std::nullopt; }
  std::vector<std::string> probe_now(const std::string&) override {
    asked = loop.after(50ms, [this] { probe(); });
    return {"http"};
  }
  std::vector<model::Impairment> impairments() const override { return {}; }

  bool is_calm() const {
    const auto status = dispatcher->status(kService);
    return node.up && !node.slow && !alert && health == Health::up && (!status || status->recovery.empty());
  }
  void probe();

  Node& node;
  AgentLoop loop;
  fakes::PeerHttp http;
  fakes::FakeState state;
  std::unique_ptr<cluster::Fleet> fleet;
  app::FleetSlots slots{loop};
  WatchedSlots watched;
  Health health = Health::unknown;
  bool alert = false;
  std::unique_ptr<recover::TrafficController> traffic;
  std::unique_ptr<recover::Dispatcher> dispatcher;
  loop::Handle asked, tick;
};

// ---- the agent

Node::Agent::Agent(Node& n)
    : node(n),
      loop(n.world.loop, n.world.figures.events),
      http(n.world.network, loop, n.name),
      state(loop, n.disk),
      watched(slots, loop, n.world.settings) {
  World& world = node.world;
  const base::Instant born = loop.now();
  const bool stands = world.settings.mutant == Mutant::no_deadline;
  const auto clock = [this, born, stands] {
    return cluster::BootTime((stands ? born : loop.now()).time_since_epoch());
  };
  std::unique_ptr<cluster::Store> own;
  if (world.settings.peers) own = world.peers.at(node.group)->make({loop, http, node.name, world.random.next()}, 2s);
  else own = std::make_unique<Store>(world.store, loop, node.cut_off);
  fleet = std::make_unique<cluster::Fleet>(
      loop, clock, base::Random(world.random.next()), std::move(own),
      cluster::FleetOptions{node.name, kTtl, node.lease},
      cluster::FleetCallbacks{[this] { slots.fleet_changed(); }, [this](const std::string& id) { node.lease = id; }});
  world.network.shown[node.name] = [this]() -> std::optional<std::string> {
    if (loop.paused()) return std::nullopt;
    return fleet->shared();
  };
  cluster::GroupSettings believed = node.settings;
  if (world.settings.mutant == Mutant::no_min_healthy) believed.min_healthy = {};
  if (world.settings.mutant == Mutant::no_panic) believed.panic_threshold = 100;
  fleet->replace({{kService, believed}});
  slots.use(fleet.get());
  traffic = std::make_unique<recover::TrafficController>(
      recover::TrafficContext{loop, world.systemd, world.spawner, world.dialer, world.agent_checks}, state);
  dispatcher = std::make_unique<recover::Dispatcher>(
      recover::Options{node.name, world.random.next(), {1, 1'000'000}, &watched},
      recover::Context{loop, world.systemd, world.spawner, [](const std::string&, const std::string&) {},
                       traffic.get()},
      state, *this, recover::Callbacks{});
  std::vector<std::unique_ptr<recover::PlanSpec>> plans;
  plans.push_back(plan_of(node));
  dispatcher->replace(std::move(plans));
  tick = loop.after(base::Millis(200 + world.random.below(800)), [this] { probe(); });
}

void Node::Agent::probe() {
  const Health found = node.up ? Health::up : Health::down;
  if (found != health) {
    node.world.trace(node, found == Health::up ? "is seen up" : "is seen down");
    const Health before = std::exchange(health, found);
    fleet->on_health(kService, found, loop.wall_now());
    dispatcher->on_health({kService, "", before, found, model::Reason::none, "", loop.wall_now()});
  }
  const bool fires = found == Health::down || node.slow;
  if (fires != std::exchange(alert, fires))
    dispatcher->on_alert(fakes::transition("ServiceDown", kService, loop.wall_now(),
                                           fires ? model::AlertState::firing : model::AlertState::inactive));
  dispatcher->on_run(kService, "http", node.up);
  if (is_calm()) tick.reset();
  else tick = loop.after(1s, [this] { probe(); });
}

// ---- the node

Node::Node(World& w, std::string n, std::string g, cluster::GroupSettings s)
    : world(w), name(std::move(n)), group(std::move(g)), settings(std::move(s)) {
  start();
}
Node::~Node() = default;

void Node::start() {
  if (agent) return;
  world.trace(*this, "its agent starts");
  agent = std::make_unique<Agent>(*this);
}
void Node::crash() {
  world.trace(*this, "crashes");
  up = false;
  poke();
}
// What it ran ends with it, half done.
void Node::kill() {
  if (!agent) return;
  world.trace(*this, "its agent is killed");
  disk = agent->state.durable();
  agent.reset();
  if (std::exchange(acting, false)) world.judge.ends(group, name);
  end_of_action.reset();
}
void Node::poke() {
  world.watched[group].until = world.loop.now() + 10min;
  if (agent && !agent->tick)
    agent->tick = agent->loop.after(base::Millis(200 + world.random.below(800)), [this] { agent->probe(); });
}

loop::Handle Action::run(const recover::Context& context, const recover::Trigger&, base::Instant,
                         std::function<void(recover::ActionResult)> done) const {
  World& world = node_.world;
  world.trace(node_, text());
  const base::Duration takes = base::Millis(50 + world.random.below(kind_ == Kind::restart ? 2'950 : 300));
  if (kind_ == Kind::undrain) node_.drained = false;
  else {
    const bool alone = node_.agent->watched.alone;
    const auto known = world.known(node_.group);
    world.look_at(node_.group, world.watched[node_.group]);
    world.judge.begins(world.loop.now(), node_.settings, {node_.group, node_.name, alone, known ? &*known : nullptr});
    if (kind_ == Kind::restart) ++world.figures.restarts, world.figures.alone += alone ? 1 : 0;
    if (kind_ == Kind::drain) node_.drained = true;
    node_.acting = true;
    if (kind_ == Kind::restart) node_.up = false;
    node_.end_of_action = world.loop.after(takes, [&node = node_, kind = kind_] {
      node.acting = false;
      node.world.judge.ends(node.group, node.name);
      if (kind == Kind::restart)
        node.up = node.world.loop.now() >= node.broken_until && node.world.random.below(10) > 0;
      if (node.up) node.slow = false;
    });
  }
  return context.scheduler.after(takes + 2ms, [done = std::move(done)] {
    done(recover::ActionResult{model::ActionStatus::ok, "done"});
  });
}

// ---- the world

World::World(const Settings& s) : settings(s), random(s.seed), store(loop, s.seed + 1) {
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
  const auto healthy = static_cast<int>(
      std::count_if(there.members.begin(), there.members.end(), [](const auto& m) { return m.health == Health::up; }));
  if (healthy < std::exchange(seen.healthy, healthy)) judge.changed[group] = loop.now();
  judge.look(loop.now(), group, !cluster::judge_panic(cluster::GroupSettings{group, 1, {}, 50}, there).open);
}

// Groups in which something happened: whether they are beyond their threshold, and whether members fell ill. Beyond it
// nobody restarts anything, so after a while people come and mend the group.
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
  loop.advance(45min);
  for (const auto& node : nodes) {
    const auto status = node->agent->dispatcher->status(kService);
    if (!node->up) judge.violated(loop.now(), node->name + " is still down");
    if (node->drained) judge.violated(loop.now(), node->name + " is still drained");
    if (status && !status->recovery.empty()) judge.violated(loop.now(), node->name + " still has a run");
  }
  for (const auto& [key, entry] : store.entries)
    if (cluster::is_slot_key(key)) judge.violated(loop.now(), key + " is still taken");
}

}  // namespace

Figures simulate(const Settings& settings) {
  World world(settings);
  const base::Instant began = world.loop.now();
  world.tick = world.loop.after(250ms, [&world] { world.look(); });
  world.loop.advance(2min);
  world.measure();
  world.next_fault();
  while (world.figures.faults < settings.faults) world.loop.advance(1min);
  world.finish();
  Figures out = std::move(world.figures);
  out.requests = settings.peers ? static_cast<std::uint64_t>(world.network.requests) : world.store.requests;
  out.panics = world.judge.panics_seen;
  out.violations = world.judge.violations;
  out.virtual_time = world.loop.now() - began;
  return out;
}

}  // namespace simulation
