#include "recover/action_run.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "loop/scheduler.h"
#include "model/json.h"
#include "model/outcome.h"

namespace recover {
namespace {

// What commands read on their standard input.
std::string event_json(const Plan& plan, const std::string& node, model::Health health) {
  const Run& run = plan.run();
  nlohmann::json alert;  // null for a run that a person started and no alert asked for
  if (!run.alert.labels.empty())
    alert = {{"labels", model::label_object(run.alert.labels)},
             {"annotations", model::label_object(run.alert.annotations)},
             {"startsAt", base::format_iso8601(run.alert.fired_at.value_or(run.alert.active_at))},
             {"generatorURL", run.alert.generator_url}};
  nlohmann::json event{{"recovery_id", run.report.id},  {"service", plan.spec().service},
                       {"unit", plan.spec().unit},      {"node", node},
                       {"attempt", run.report.attempt}, {"trigger", run.report.trigger},
                       {"health", to_string(health)},   {"alert", std::move(alert)}};
  if (run.fence != 0) event["fence"] = run.fence;
  return event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

void ActionRun::start(const Context& context, const Plan& plan, const std::string& node, model::Health health,
                      std::function<std::optional<std::string>()> stopped, Done done) {
  const Step& step = plan.current_step();
  const Run& run = plan.run();
  done_ = std::move(done);
  started_ = context.scheduler.now();
  secrets_ = step.secrets;
  const auto answer = [this, &context](ActionResult result) { ended(context, std::move(result)); };
  if (!plan.acts()) {
    action_ = context.scheduler.after({}, [answer, text = step.text] {
      answer({ActionStatus::would_run, "dry run: " + text + " was not carried out"});
    });
    return;
  }
  if (const auto why = stopped()) {  // since the intent was written, or while it waited for another action
    action_ = context.scheduler.after({}, [answer, text = step.text + ": " + *why] {
      answer({ActionStatus::refused, text + "; nothing was done"});
    });
    return;
  }
  const PlanSpec& spec = plan.spec();
  const Trigger trigger{
      run.report.id,     spec.service, spec.unit, node, run.report.attempt, event_json(plan, node, health),
      std::move(stopped)};
  const base::Instant deadline = started_ + step.timeout;
  action_ = step.action->run(context, trigger, deadline, answer);
  limit_ = context.scheduler.at(deadline + kGrace, [answer, timeout = step.timeout] {
    answer({ActionStatus::timeout, fmt::format("no end within {}", base::format_duration(timeout))});
  });
  base::log::info("recovery action started", {{"service", spec.service},
                                              {"action", step.text},
                                              {"recovery", run.report.id},
                                              {"attempt", fmt::format("{}", run.report.attempt)}});
}

void ActionRun::stop() {
  action_.reset();
  limit_.reset();
}

void ActionRun::ended(const Context& context, ActionResult result) {
  if (!action_) return;
  const loop::Handle action = std::move(action_), limit = std::move(limit_);
  const base::Duration took = context.scheduler.now() - started_;
  const Done done = std::move(done_);
  // Commands and servers wrote some of it, and a program may print its own command line or environment.
  result.text = base::without_secrets(secrets_.blotted(std::move(result.text)));
  result.text = base::foreign_text(result.text, model::kTextLimit);
  done(std::move(result), took);
}

}  // namespace recover
