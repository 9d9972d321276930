#include "simulation/agent.h"

#include <algorithm>

#include "fakes/fake_service_view.h"

namespace simulation {

using namespace std::chrono_literals;
using model::Health;

namespace {

constexpr base::Millis kTtl{20'000};

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

// What the agents of a mutant read of a rollout: that all members are one batch, or that no part ever failed.
std::function<void(cluster::Reading&)> forged(Mutant mutant) {
  if (mutant != Mutant::no_batches && mutant != Mutant::no_stop) return nullptr;
  return [mutant](cluster::Reading& reading) {
    for (cluster::Record& record : reading.records) {
      auto rollout = cluster::read_rollout(record.value);
      if (!rollout) continue;
      if (mutant == Mutant::no_batches) rollout->batch = static_cast<int>(rollout->parts.size());
      else {
        for (cluster::RolloutPart& part : rollout->parts)
          if (part.state == cluster::PartState::failed) part.state = cluster::PartState::done;
        if (rollout->state == cluster::RolloutState::stopped) rollout->state = cluster::RolloutState::running;
      }
      record.value = cluster::rollout_value(*rollout);
    }
  };
}

}  // namespace

// ---- the agent

Node::Agent::Agent(Node& n)
    : node(n),
      loop(n.world.loop, n.world.figures.events),
      http(n.world.network, loop, n.name),
      state(loop, n.disk),
      link(
          loop, http,
          [this] {
            if (rollouts) rollouts->look_soon();
          },
          base::Random(n.world.random.next()),
          [this, born = n.world.loop.now()] {
            const bool stands = node.world.settings.mutant == Mutant::no_deadline;
            return cluster::BootTime((stands ? born : loop.now()).time_since_epoch());
          }),
      watched(link.slots(), loop, n.world.settings) {
  World& all = node.world;
  cluster::GroupSettings believed = node.settings;
  if (all.settings.mutant == Mutant::no_min_healthy) believed.min_healthy = {};
  if (all.settings.mutant == Mutant::no_panic) believed.panic_threshold = 100;
  cluster::FleetSettings fleet{nullptr, kTtl, "the store"};
  if (all.settings.peers) fleet.store = all.peers.at(node.group);
  else fleet.store = std::make_shared<StoreSettings>(all.store, loop, node.cut_off, forged(all.settings.mutant));
  link.replace(fleet, {{kService, believed}}, node.name, state);
  all.network.shown[node.name] = [this]() -> std::optional<std::string> {
    if (loop.paused()) return std::nullopt;
    return link.fleet()->shared();
  };
  traffic = std::make_unique<recover::TrafficController>(
      recover::TrafficContext{loop, all.systemd, all.spawner, all.dialer, all.agent_checks}, state);
  dispatcher = std::make_unique<recover::Dispatcher>(
      recover::Options{node.name, all.random.next(), {1, 1'000'000}, &watched},
      recover::Context{loop, all.systemd, all.spawner, [](const std::string&, const std::string&) {}, traffic.get()},
      state, *this, recover::Callbacks{[this](const model::RecoveryReport&) { rollouts->look_soon(); }, {}, {}});
  rollouts = std::make_unique<app::Rollouts>(loop, base::Random(all.random.next()), link, *dispatcher,
                                             [](const std::string&, const cluster::RolloutNews&) {});
  std::vector<std::unique_ptr<recover::PlanSpec>> plans;
  plans.push_back(plan_of(node));
  dispatcher->replace(std::move(plans));
  tick = loop.after(base::Millis(200 + all.random.below(800)), [this] { probe(); });
}

void Node::Agent::probe() {
  const Health found = node.up ? Health::up : Health::down;
  if (found != health) {
    node.world.trace(node, found == Health::up ? "is seen up" : "is seen down");
    const Health before = std::exchange(health, found);
    link.on_health(kService, found, loop.wall_now());
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
  const bool of_rollout = agent->watched.of_rollout;
  agent.reset();
  if (std::exchange(acting, false)) {
    world.judge.ends(group, name);
    if (of_rollout) world.rollouts.restarted(group, name, false);
  }
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
    const bool serves = node_.up && !node_.drained;
    const base::Instant heard = std::max(world.store.down_until, node_.went_on);
    const bool deaf = node_.cut_off || world.loop.now() - heard < 5s;
    world.judge.begins(world.loop.now(), node_.settings,
                       {node_.group, node_.name, alone, serves, deaf, known ? &*known : nullptr});
    if (kind_ == Kind::restart) ++world.figures.restarts, world.figures.alone += alone ? 1 : 0;
    const bool of_rollout = node_.agent->watched.of_rollout;
    if (of_rollout) world.rollouts.begins(world.loop.now(), node_.group, node_.name, world.judge);
    if (kind_ == Kind::drain) node_.drained = true;
    node_.acting = true;
    if (kind_ == Kind::restart) node_.up = false;
    node_.end_of_action = world.loop.after(takes, [&node = node_, kind = kind_, of_rollout] {
      node.acting = false;
      node.world.judge.ends(node.group, node.name);
      if (kind == Kind::restart)
        node.up = node.world.loop.now() >= node.broken_until && (node.world.random.below(10) > 0 || node.world.calm) &&
                  !node.world.rollouts.is_bad(node.group);
      if (kind == Kind::restart && of_rollout) node.world.rollouts.restarted(node.group, node.name, node.up);
      if (node.up) node.slow = false;
    });
  }
  return context.scheduler.after(takes + 2ms, [done = std::move(done)] {
    done(recover::ActionResult{model::ActionStatus::ok, "done"});
  });
}

}  // namespace simulation
