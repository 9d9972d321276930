// What /probe runs: a blackbox module against a target that is allowed. Loop thread.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "app/allowed_targets.h"
#include "config/agent_config.h"
#include "loop/deferred_delete.h"
#include "probe/attempt.h"
#include "probe/blackbox/blackbox.h"
#include "probe/bounded.h"
#include "probe/run_once.h"
#include "probe/schedule.h"
#include "web/backend.h"

namespace app {

class ProbeEndpoint {
 public:
  // For a scrape that names no timeout, as in the exporter; also the most that one may ask for.
  static constexpr std::chrono::seconds kLongest{120};
  static constexpr std::size_t kMostRuns = 1024;  // at the same time; each holds a connection or two and no thread

  explicit ProbeEndpoint(probe::Context context) : context_(context), deferred_(context.scheduler) {}

  // Modules and targets of a new configuration; what `probes` look at is allowed. Runs that are going on go on.
  void replace(probe::BlackboxModules modules, const config::Blackbox& settings,
               const std::vector<probe::Spec>& probes);
  // The targets of all probes as they are now.
  void allow(const probe::Statuses& probes);
  const probe::BlackboxModules& modules() const { return modules_; }
  // `done` comes exactly once, unless the endpoint is destroyed before.
  void run(const web::ProbeQuestion& question, std::function<void(base::Result<web::ProbeAnswer>)> done);

 private:
  struct Run {
    std::shared_ptr<const probe::Spec> spec;
    std::unique_ptr<probe::Bounded> bounded;  // what the attempt may connect to
    std::unique_ptr<probe::Attempt> attempt;
    void cut() { attempt->cut(); }
  };
  using SpecKey = std::tuple<std::string, std::string, std::string, base::Millis>;

  base::Result<std::shared_ptr<const probe::Spec>> spec_for(const web::ProbeQuestion& question, base::Millis limit);

  const probe::Context context_;
  probe::BlackboxModules modules_;
  config::Blackbox settings_;
  AllowedTargets targets_;
  // A module with a TLS configuration of its own costs a reading of certificates: kept from run to run.
  std::map<SpecKey, std::shared_ptr<const probe::Spec>> specs_;
  std::list<std::unique_ptr<Run>> runs_;
  loop::DeferredDelete deferred_;
};

}  // namespace app
