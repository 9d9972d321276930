// What drain and undrain share: both move the traffic of the service that owns the plan. For a service without
// `traffic` they are words that a plan may use where it goes on without them; each run then says that nothing moved.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>

#include "loop/scheduler.h"
#include "recover/action.h"
#include "recover/traffic/traffic_controller.h"

namespace recover {

class TrafficAction final : public Action {
 public:
  TrafficAction(std::string word, Flow to, ActionOwner owner)
      : word_(std::move(word)), to_(to), owner_(std::move(owner)) {}
  loop::Handle run(const Context& context, const Trigger& trigger, base::Instant deadline,
                   std::function<void(ActionResult)> done) const override {
    if (owner_.has_traffic && context.traffic_controller != nullptr)
      return context.traffic_controller->apply(trigger.service, {to_, owner_.slow_start, deadline}, std::move(done));
    return context.scheduler.after({}, [done = std::move(done), word = word_, service = trigger.service] {
      done({ActionStatus::refused,
            fmt::format("no traffic was moved: {} has no `traffic` in the configuration, so {} does nothing", service,
                        word)});
    });
  }
  std::string text() const override { return word_; }
  bool may_heal() const override { return false; }
  bool moves_traffic() const override { return true; }
  bool disrupts() const override { return to_ == Flow::drained; }

 private:
  std::string word_;
  Flow to_;
  ActionOwner owner_;
};

inline std::unique_ptr<const Action> parse_traffic_action(const std::string& word, Flow to, const config::Node& node,
                                                          const std::string& path, const ActionOwner& owner,
                                                          config::Errors& errors) {
  if (owner.has_traffic || owner.may_fail) return std::make_unique<TrafficAction>(word, to, owner);
  errors.add(node.mark(), path,
             fmt::format("{}: service {} has no traffic that could be moved; add traffic to it, such as {{nginx: "
                         "{{upstream: {}, file: …, self: …}}}}, or on_failure: continue to go on without it",
                         word, owner.service, owner.service));
  return nullptr;
}

}  // namespace recover
