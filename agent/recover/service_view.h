// What plans ask about the rest of the agent. The app answers. Loop thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/health.h"
#include "model/node_change.h"
#include "model/self_check.h"

namespace recover {

class ServiceView {
 public:
  virtual ~ServiceView() = default;
  virtual model::Health service_health(const std::string& service) const = 0;
  // As the last run of each of its probes has it, without thresholds: an early word, and no verdict.
  virtual model::Health latest(const std::string& service) const = 0;
  // Since the service's main process started; nullopt if unknown.
  virtual std::optional<base::Duration> service_uptime(const std::string& service) const = 0;
  // The newest change of its unit, program or configuration; nullopt: none that is suspected.
  virtual std::optional<model::NodeChange> changed(const std::string& service) const = 0;
  // Runs the service's probes beside their grid; results come through Dispatcher::on_run. Their names.
  virtual std::vector<std::string> probe_now(const std::string& service) = 0;
  virtual std::vector<model::Impairment> impairments() const = 0;  // why the agent does not trust what it saw lately
};

}  // namespace recover
