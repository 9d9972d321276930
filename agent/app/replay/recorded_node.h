// The rest of a node as recovery plans see it in a replay: probes that say what was recorded, judged by the thresholds
// of the configuration; no systemd and no programs; actions that are not carried out. One thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/replay/recording.h"
#include "app/service_health_table.h"
#include "loop/scheduler.h"
#include "os/subprocess.h"
#include "os/systemd/systemd.h"
#include "probe/health.h"
#include "probe/schedule.h"
#include "recover/plan/plan_spec.h"
#include "recover/service_view.h"

namespace app {

// Its actions count as done at once, and it has no unit that systemd could be asked about.
void make_recorded(recover::PlanSpec& plan);

class RecordedNode final : public recover::ServiceView {
 public:
  // All outlive it.
  RecordedNode(const std::vector<probe::Spec>& probes, ServiceHealthTable& table, const loop::Scheduler& scheduler);

  struct Judged {
    bool known = false;    // the configuration has the probe
    bool changed = false;  // its health is another one than before
    model::Health service = model::Health::unknown;
    probe::Run run;
  };
  void note(const RecordedResult& result);
  Judged judge(const RecordedRun& run);
  // Of a service whose health was recorded: that is the health then.
  std::optional<model::HealthChange> note_health(const std::string& service, model::Health health);

  os::Systemd& systemd() { return systemd_; }
  os::Spawner& spawner() { return spawner_; }

  model::Health service_health(const std::string& service) const override;
  model::Health latest(const std::string& service) const override;
  std::optional<base::Duration> service_uptime(const std::string& service) const override;
  std::optional<model::NodeChange> changed(const std::string&) const override { return std::nullopt; }
  // No run can be made: those that were recorded come in their time.
  std::vector<std::string> probe_now(const std::string& service) override;
  std::vector<model::Impairment> impairments() const override { return {}; }

 private:
  struct NoSystemd final : os::Systemd {
    loop::Handle watch_unit(const std::string&, std::function<void(const base::Result<os::UnitState>&)>) override {
      return {};
    }
    loop::Handle read_unit(const std::string&, base::Instant,
                           std::function<void(base::Result<os::UnitState>)>) override {
      return {};
    }
    loop::Handle run_job(const std::string&, const std::string&, base::Instant,
                         std::function<void(base::Result<std::string>)>) override {
      return {};
    }
    loop::Handle signal_unit(const std::string&, Whom, int, base::Instant,
                             std::function<void(base::Result<>)>) override {
      return {};
    }
  };
  struct NoSpawner final : os::Spawner {
    loop::Handle spawn(os::Command, std::function<void(base::Result<os::Finished>)>) override { return {}; }
  };
  struct Probe {
    const probe::Spec* spec = nullptr;
    probe::HealthState health;
    std::optional<bool> last;
  };

  ServiceHealthTable& table_;
  const loop::Scheduler& scheduler_;
  std::map<std::string, std::map<std::string, Probe>> probes_;  // by service and name
  std::map<std::string, model::Health> told_;                   // recorded healths
  NoSystemd systemd_;
  NoSpawner spawner_;
};

}  // namespace app
