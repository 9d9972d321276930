#include "app/replay/recorded_node.h"

#include <algorithm>

namespace app {
namespace {

// What the action is stays; what it would do is left out.
class RecordedAction final : public recover::Action {
 public:
  explicit RecordedAction(std::unique_ptr<const recover::Action> action) : action_(std::move(action)) {}
  loop::Handle run(const recover::Context& context, const recover::Trigger&, base::Instant,
                   std::function<void(recover::ActionResult)> done) const override {
    return context.scheduler.after({}, [done = std::move(done)] { done({recover::ActionStatus::ok, "replayed"}); });
  }
  std::string text() const override { return action_->text(); }
  bool may_heal() const override { return action_->may_heal(); }
  bool moves_traffic() const override { return action_->moves_traffic(); }
  bool disrupts() const override { return action_->disrupts(); }
  std::string target() const override { return action_->target(); }
  bool waits_for_person() const override { return action_->waits_for_person(); }

 private:
  std::unique_ptr<const recover::Action> action_;
};

probe::Thresholds thresholds_of(const probe::Spec& spec) {
  probe::Thresholds out;
  out.failure = spec.failure_threshold;
  out.success = spec.success_threshold;
  out.fatal = spec.fatal_reasons;
  out.window = spec.failure_window;
  return out;
}

}  // namespace

void make_recorded(recover::PlanSpec& plan) {
  plan.unit.clear();
  plan.maintenance.pause_file.clear();  // of the machine on which it is replayed
  for (std::vector<recover::Step>* steps : {&plan.steps, &plan.finally})
    for (recover::Step& step : *steps) step.action = std::make_unique<RecordedAction>(std::move(step.action));
}

RecordedNode::RecordedNode(const std::vector<probe::Spec>& probes, ServiceHealthTable& table,
                           const loop::Scheduler& scheduler)
    : table_(table), scheduler_(scheduler) {
  for (const probe::Spec& spec : probes) probes_[spec.service][spec.name].spec = &spec;
}

void RecordedNode::note(const RecordedResult& result) {
  if (const auto service = probes_.find(result.service); service != probes_.end())
    if (const auto probe = service->second.find(result.probe); probe != service->second.end())
      probe->second.last = result.up;
}

RecordedNode::Judged RecordedNode::judge(const RecordedRun& recorded) {
  Judged out;
  const auto service = probes_.find(recorded.service);
  if (service == probes_.end()) return out;
  const auto found = service->second.find(recorded.probe);
  if (found == service->second.end()) return out;
  Probe& probe = found->second;
  out.known = true;
  out.run.spec = probe.spec;
  out.run.started = recorded.started;
  out.run.outcome = recorded.outcome;
  table_.new_start(out.run);
  out.changed =
      probe::judge(thresholds_of(*probe.spec), recorded.outcome, probe::Cause::grid, probe::Starting::no, probe.health);
  std::vector<model::Health> all;
  for (const auto& [name, each] : service->second) all.push_back(each.health.health);
  out.service = probe::compose(all, probe.spec->healthy_probes);
  return out;
}

std::optional<model::HealthChange> RecordedNode::note_health(const std::string& service, model::Health health) {
  model::Health& known = told_[service];
  if (known == health) return std::nullopt;
  // What is up again had good runs; of two within a millisecond one was recorded.
  if (health == model::Health::up)
    if (const auto found = probes_.find(service); found != probes_.end())
      for (auto& [name, probe] : found->second)
        if (probe.spec->healthy_probes == 0) probe.last = true;
  const model::Health before = std::exchange(known, health);
  return model::HealthChange{service, "", before, health, model::Reason::none, "", scheduler_.wall_now()};
}

model::Health RecordedNode::service_health(const std::string& service) const {
  const auto told = told_.find(service);
  return told != told_.end() ? told->second : table_.health(service);
}

model::Health RecordedNode::latest(const std::string& service) const {
  const auto found = probes_.find(service);
  if (found == probes_.end()) return service_health(service);
  std::vector<model::Health> all;
  std::size_t needed = 0;
  for (const auto& [name, probe] : found->second) {
    needed = probe.spec->healthy_probes;
    all.push_back(!probe.last ? model::Health::unknown : *probe.last ? model::Health::up : model::Health::down);
  }
  return probe::compose(all, needed);
}

std::optional<base::Duration> RecordedNode::service_uptime(const std::string& service) const {
  return table_.uptime(service, scheduler_.wall_now());
}

std::vector<std::string> RecordedNode::probe_now(const std::string& service) {
  std::vector<std::string> out;
  if (const auto found = probes_.find(service); found != probes_.end())
    for (const auto& [name, probe] : found->second) out.push_back(name);
  return out;
}

}  // namespace app
