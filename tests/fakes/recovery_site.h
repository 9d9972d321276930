// A Dispatcher with everything around it in a test's hand: one service "order" that depends on "redis".
#pragma once

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fakes/fake_agent_checks.h"
#include "fakes/fake_loop.h"
#include "fakes/fake_service_view.h"
#include "fakes/fake_state.h"
#include "fakes/probe_world.h"
#include "fakes/scripted_action.h"
#include "recover/dispatcher.h"
#include "recover/recorder.h"
#include "recover/traffic/traffic_controller.h"

namespace fakes {

struct RecoverySite {
  FakeLoop loop;
  FakeSystemd systemd{loop};
  FakeSpawner spawner{loop};
  FakeDialer dialer{loop};
  FakeAgentChecks agent_checks;
  FakeState state{loop};
  FakeServiceView service_view;
  ActionScript restart, telling{.heals = false};
  os::UnitState unit_now{.load = "loaded", .active = "failed", .sub = "failed", .result = "signal"};  // when asked
  recover::NodeLimits limits{1, 1000};
  recover::Slots* slots = nullptr;        // null: those of the node
  recover::Recorder* recorder = nullptr;  // from the next start() on
  std::vector<std::string> said;
  std::vector<std::string> pages;
  std::unique_ptr<recover::TrafficController> traffic_controller;
  std::unique_ptr<recover::Dispatcher> dispatcher;

  RecoverySite() {
    service_view.health = {{"order", model::Health::down}, {"redis", model::Health::up}};
    systemd.on_read = [this](const std::string&) { return unit_now; };
    start();
  }

  void start() {
    dispatcher.reset();
    traffic_controller = std::make_unique<recover::TrafficController>(
        recover::TrafficContext{loop, systemd, spawner, dialer, agent_checks}, state);
    recover::Callbacks callbacks;
    callbacks.on_report = [this](const model::RecoveryReport& r) {
      said.push_back("report " + std::string(to_string(r.state)));
    };
    callbacks.on_action = [this](const std::string& service, const std::string& action, model::ActionStatus result,
                                 model::RecoveryMode mode) {
      said.push_back(service + " " + action + " " + std::string(to_string(result)) + " " +
                     std::string(to_string(mode)));
    };
    callbacks.on_blocked = [this](const std::string& service, recover::GuardName reason) {
      said.push_back(fmt::format("{} blocked {}", service, to_string(reason)));
    };
    recover::Context context{
        loop, systemd, spawner,
        [this](const std::string& service, const std::string& text) { pages.push_back(service + ": " + text); },
        traffic_controller.get()};
    context.recorder = recorder;
    dispatcher = std::make_unique<recover::Dispatcher>(recover::Options{"node1", 7, limits, slots}, context, state,
                                                       service_view, callbacks);
  }

  std::unique_ptr<recover::PlanSpec> plan(model::RecoveryMode mode = model::RecoveryMode::enforce) {
    auto spec = std::make_unique<recover::PlanSpec>();
    spec->service = "order";
    spec->unit = "order.service";
    spec->mode = mode;
    spec->depends_on = {"redis"};
    spec->probes = {"http"};
    spec->when = {{"alert", "ServiceDown"}};
    spec->guards.agent_uptime = base::Millis{0};
    spec->steps.push_back(scripted_step("systemd restart order.service", restart));
    spec->steps.back().verify = recover::Verify{1, base::Millis{30'000}};
    return spec;
  }
  // What `services.order.traffic` says.
  void use_traffic(const std::string& yaml) {
    config::Errors errors;
    std::vector<std::unique_ptr<const recover::TrafficSpec>> all;
    all.push_back(recover::parse_traffic("order", config::Node::parse(yaml, "f.yml", errors), errors));
    CHECK(errors.text() == "");
    traffic_controller->replace(std::move(all));
  }
  void use(std::unique_ptr<recover::PlanSpec> spec) {
    std::vector<std::unique_ptr<recover::PlanSpec>> plans;
    if (spec) plans.push_back(std::move(spec));
    dispatcher->replace(std::move(plans));
  }
  void alert(const std::string& name, model::AlertState to = model::AlertState::firing) {
    dispatcher->on_alert(transition(name, "order", loop.wall_now(), to));
  }
  void healthy() {
    service_view.health["order"] = model::Health::up;
    dispatcher->on_health(
        {"order", "", model::Health::down, model::Health::up, model::Reason::none, "", loop.wall_now()});
    dispatcher->on_run("order", "http", true);
    alert("ServiceDown", model::AlertState::inactive);
  }
  std::map<std::string, std::string> table(state::Table which) const {
    const auto found = state.durable().find(which);
    return found == state.durable().end() ? std::map<std::string, std::string>{} : found->second;
  }
  recover::PlanStatus status() const { return dispatcher->statuses().at(0); }
};

}  // namespace fakes
