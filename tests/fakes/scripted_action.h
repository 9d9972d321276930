// A recovery action that writes down each start and ends as a test says.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "loop/scheduler.h"
#include "recover/action.h"
#include "recover/plan/plan_spec.h"

namespace fakes {

struct ActionScript {
  recover::ActionResult result{model::ActionStatus::ok, "done"};
  base::Duration takes = std::chrono::milliseconds{50};
  bool heals = true;                   // recover::Action::may_heal
  bool traffic = false;                // moves_traffic
  bool drains = false;                 // disrupts, although it does not heal
  std::string unit{};                  // needed_unit
  std::string target{};                // recover::Action::target
  std::string stopped{};               // by people: ask_stopped
  bool stops = false;                  // leaves_stopped
  std::function<void()> on_start{};    // the action is about to take effect
  std::vector<std::string> started{};  // "order attempt 1"
};

class ScriptedAction final : public recover::Action {
 public:
  ScriptedAction(std::string name, ActionScript& script) : name_(std::move(name)), script_(script) {}
  loop::Handle run(const recover::Context& context, const recover::Trigger& trigger, base::Instant,
                   std::function<void(recover::ActionResult)> done) const override {
    script_.started.push_back(trigger.service + " attempt " + std::to_string(trigger.attempt));
    if (script_.on_start) script_.on_start();
    return context.scheduler.after(script_.takes, [done = std::move(done), result = script_.result] { done(result); });
  }
  std::string text() const override { return name_; }
  bool may_heal() const override { return script_.heals; }
  bool moves_traffic() const override { return script_.traffic; }
  bool disrupts() const override { return script_.heals || script_.drains; }
  std::string needed_unit() const override { return script_.unit; }
  std::string target() const override { return script_.target; }
  bool knows_stops() const override { return true; }
  bool leaves_stopped() const override { return script_.stops; }
  loop::Handle ask_stopped(const recover::Context& context, std::optional<base::WallTime>, base::Instant,
                           std::function<void(std::string)> done) const override {
    return context.scheduler.after({}, [done = std::move(done), this] { done(script_.stopped); });
  }

 private:
  std::string name_;
  ActionScript& script_;
};

inline recover::Step scripted_step(const std::string& name, ActionScript& script) {
  recover::Step step;
  step.text = name;
  step.action = std::make_unique<ScriptedAction>(name, script);
  return step;
}

}  // namespace fakes
