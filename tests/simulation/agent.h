// The agent of a node as the real one is wired: its fleet client, its slots and its plans, on a loop of its own.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/fleet_link.h"
#include "app/rollouts.h"
#include "recover/dispatcher.h"
#include "recover/traffic/traffic_controller.h"
#include "simulation/agent_loop.h"
#include "simulation/world.h"

namespace simulation {

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
    of_rollout = request.of_rollout;
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

  bool alone = false, of_rollout = false;

 private:
  app::FleetSlots& slots_;
  loop::Scheduler& loop_;
  const Settings& settings_;
};

struct Node::Agent final : recover::ServiceView {
  explicit Agent(Node& n);
  ~Agent() override { node.world.network.shown.erase(node.name); }

  model::Health service_health(const std::string&) const override { return health; }
  model::Health latest(const std::string&) const override { return node.up ? model::Health::up : model::Health::down; }
  std::optional<base::Duration> service_uptime(const std::string&) const override { return std::nullopt; }
  std::optional<model::NodeChange> changed(const std::string&) const override { return std::nullopt; }
  std::vector<std::string> probe_now(const std::string&) override {
    asked = loop.after(base::Millis{50}, [this] { probe(); });
    return {"http"};
  }
  std::vector<model::Impairment> impairments() const override { return {}; }

  bool is_calm() const {
    const auto status = dispatcher->status(kService);
    return node.up && !node.slow && !alert && health == model::Health::up && (!status || status->recovery.empty());
  }
  void probe();

  Node& node;
  AgentLoop loop;
  fakes::PeerHttp http;
  fakes::FakeState state;
  app::FleetLink link;
  WatchedSlots watched;
  model::Health health = model::Health::unknown;
  bool alert = false;
  std::unique_ptr<recover::TrafficController> traffic;
  std::unique_ptr<recover::Dispatcher> dispatcher;
  std::unique_ptr<app::Rollouts> rollouts;
  loop::Handle asked, tick;
};

}  // namespace simulation
