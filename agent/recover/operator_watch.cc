#include "recover/operator_watch.h"

#include <algorithm>
#include <utility>

#include "loop/scheduler.h"
#include "recover/traffic/traffic_controller.h"

namespace recover {

std::vector<Recheck::Question> OperatorWatch::questions(const Context& context, const PlanSpec& spec,
                                                        std::optional<base::WallTime> acted) {
  std::vector<Recheck::Question> out;
  stopped_.reset();
  drained_.reset();
  const auto keep = [&context](std::optional<Answer>& into, std::string text) {
    if (!text.empty()) into = Answer{std::move(text), context.scheduler.now()};
  };
  for (const Step& step : spec.steps) {
    const Action* action = step.action.get();
    if (action == nullptr || !action->knows_stops()) continue;
    const bool stops_itself = std::any_of(spec.steps.begin(), spec.steps.end(), [&](const Step& other) {
      return other.action != nullptr && other.action->leaves_stopped() && other.action->target() == action->target();
    });
    if (stops_itself) continue;
    out.push_back([this, &context, action, acted, keep](base::Instant deadline, std::function<void()> done) {
      return action->ask_stopped(context, acted, deadline, [this, keep, done = std::move(done)](std::string text) {
        keep(stopped_, std::move(text));
        done();
      });
    });
  }
  if (context.traffic_controller != nullptr && context.traffic_controller->knows_drains(spec.service))
    out.push_back([this, &context, service = spec.service, keep](base::Instant deadline, std::function<void()> done) {
      return context.traffic_controller->ask_drained(service, deadline,
                                                     [this, keep, done = std::move(done)](std::string text) {
                                                       keep(drained_, std::move(text));
                                                       done();
                                                     });
    });
  return out;
}

std::optional<std::string> OperatorWatch::counting(const std::optional<Answer>& answer, PlanInput& input) {
  if (!answer || input.now >= answer->at + kCounts) return std::nullopt;
  input.asked_again = answer->at + kCounts;
  return answer->text;
}

void OperatorWatch::tell(PlanInput& input) const {
  if (auto text = counting(stopped_, input); text && !input.stopped) input.stopped = std::move(text);
  input.drained = counting(drained_, input);
}

}  // namespace recover
