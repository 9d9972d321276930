// The rest of the agent as recovery plans see it, and whether it may trust its own eyes. Loop thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/verdicts.h"
#include "loop/doubts.h"
#include "loop/scheduler.h"
#include "recover/dispatcher.h"

namespace app {

class World final : public recover::World {
 public:
  World(const Verdicts& verdicts, const loop::Scheduler& scheduler,
        std::function<void(const std::string& service)> probe_now)
      : verdicts_(verdicts), scheduler_(scheduler), probe_now_(std::move(probe_now)) {}

  // Each second: `longest_turn` of the loop since the last time. Logs what makes the agent doubt.
  void look(base::Duration longest_turn);

  model::Health service_health(const std::string& service) const override { return verdicts_.health(service); }
  std::optional<base::Duration> service_uptime(const std::string& service) const override {
    return verdicts_.uptime(service, scheduler_.wall_now());
  }
  void probe_now(const std::string& service) override { probe_now_(service); }
  std::vector<loop::Doubt> doubts() const override { return doubts_.held(scheduler_.now()); }

 private:
  const Verdicts& verdicts_;
  const loop::Scheduler& scheduler_;
  std::function<void(const std::string&)> probe_now_;
  loop::Doubts doubts_;
};

}  // namespace app
