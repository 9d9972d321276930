// A probe for each target that a list of others names: one template, and what the target's own labels change of it. The
// labels are Prometheus' words: __scheme__, __metrics_path__, __scrape_interval__, __scrape_timeout__, __param_module
// (a module of the blackbox file) and __param_hostname; besides, __probe_KEY sets KEY of the template.
#pragma once

#include <string>

#include "config/agent_config.h"
#include "model/labels.h"
#include "probe/blackbox.h"
#include "probe/spec.h"

namespace probe {

class ProbeTemplate {
 public:
  // Mistakes that no target could mend go to `errors`. `probe` is a mapping as under `probes`, without what the target
  // says.
  ProbeTemplate(std::string service, const config::Service& settings, const config::Global& global, config::Node probe,
                const std::string& path, config::Errors& errors);

  // The probe of one target. Its name is NAME@ADDRESS, where NAME is the template's name or type, unless __probe_name
  // says another; its labels are the template's, the target's without those that begin with __, and target="ADDRESS".
  // Errors: the target or its labels do not fit.
  base::Result<Spec> spec(const std::string& address, const model::Labels& labels,
                          const BlackboxModules& modules) const;
  const std::string& service() const { return service_; }
  // As ordinary probes have it; null if a module must be named.
  const Type* type() const;

 private:
  std::string service_;
  std::string unit_;
  std::size_t healthy_probes_ = 0;
  config::Global global_;
  config::Node probe_;
};

}  // namespace probe
