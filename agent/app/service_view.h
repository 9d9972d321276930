// The rest of the agent as recovery plans see it, and whether it may trust its own eyes. Loop thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/change_watch.h"
#include "app/service_health_table.h"
#include "loop/scheduler.h"
#include "model/self_check.h"
#include "probe/schedule.h"
#include "recover/service_view.h"

namespace app {

class ServiceView final : public recover::ServiceView {
 public:
  // The schedule and the changes come later than what is asked of them.
  ServiceView(const ServiceHealthTable& health_table, const loop::Scheduler& scheduler,
              const std::unique_ptr<probe::Schedule>& schedule, const std::unique_ptr<ChangeWatch>& changes)
      : health_table_(health_table), scheduler_(scheduler), schedule_(schedule), changes_(changes) {}

  // Each second: `longest_turn` of the loop since the last time. Logs impairments of the agent.
  void look(base::Duration longest_turn);

  model::Health service_health(const std::string& service) const override { return health_table_.health(service); }
  std::optional<base::Duration> service_uptime(const std::string& service) const override {
    return health_table_.uptime(service, scheduler_.wall_now());
  }
  model::Health latest(const std::string& service) const override { return schedule_->latest_health(service); }
  std::optional<model::NodeChange> changed(const std::string& service) const override {
    return changes_->recent(service);
  }
  std::vector<std::string> probe_now(const std::string& service) override {
    return schedule_->trigger_service(service);
  }
  // What the agent lacks is asked at this moment: an action that fails for want of a descriptor is no attempt.
  std::vector<model::Impairment> impairments() const override;

 private:
  const ServiceHealthTable& health_table_;
  const loop::Scheduler& scheduler_;
  const std::unique_ptr<probe::Schedule>& schedule_;
  const std::unique_ptr<ChangeWatch>& changes_;
  model::SelfCheck self_check_;
};

}  // namespace app
