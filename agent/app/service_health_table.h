// What is known about each service as a whole: its health over all probes, since when, why, and when it last started.
// Pure but for the time that comes in. Loop thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "config/agent_config.h"
#include "model/health.h"
#include "probe/schedule.h"

namespace app {

struct ServiceHealth {
  model::Health health = model::Health::unknown;
  base::WallTime since{};
  model::Reason reason = model::Reason::none;
  std::string text;
};

class ServiceHealthTable {
 public:
  using Services = std::vector<std::pair<std::string, config::Service>>;

  // Only these services exist from now on; what was known of them stays.
  void keep_only(const Services& services, base::WallTime now);
  // None of its probes is left: it is unknown again.
  void forget(const std::string& service, base::WallTime now);
  // After a run of one of its probes: `health` is the new one over all of them. The change, if it is one.
  std::optional<model::HealthChange> update(const probe::Run& run, model::Health health, base::Instant now,
                                            base::WallTime wall_now);
  // When the service's main process started, if this run is the first of its probe to know of that start.
  std::optional<base::WallTime> new_start(const probe::Run& run);
  // From the first failure, or from the event that told of it, to `now`.
  base::Duration detection_latency(const probe::Run& run, base::Instant now) const;

  // When the first of the failed runs in a row began, over all its probes; `wall_now` if none fails.
  base::WallTime first_failure(const std::string& service, base::Instant now, base::WallTime wall_now) const;

  bool knows(const std::string& service) const { return services_.contains(service); }
  model::Health health(const std::string& service) const;
  // Since its main process started, as far as a probe measured that.
  std::optional<base::Duration> uptime(const std::string& service, base::WallTime now) const;
  const std::map<std::string, ServiceHealth>& all() const { return services_; }

 private:
  std::map<std::string, ServiceHealth> services_;
  using ByProbe = std::pair<std::string, std::string>;  // service, probe
  std::map<ByProbe, base::WallTime> started_;           // as that probe measured it
  std::map<ByProbe, base::Instant> failing_since_;
};

}  // namespace app
