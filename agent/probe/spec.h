// One configured probe: the keys that every type has, and the type's own settings.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "base/time.h"
#include "config/agent_config.h"
#include "model/labels.h"
#include "probe/probe.h"

namespace probe {

struct Spec {
  std::string service;
  std::string name;
  const Type* type = nullptr;
  base::Millis interval{5000};
  base::Millis timeout{2000};
  base::Millis fast_interval{0};  // while a change is pending; 0: a quarter of interval, at least 100 ms
  int failure_threshold = 3;
  int success_threshold = 1;
  std::set<model::Reason>
      fatal_reasons;     // one failure with such a reason is enough; default: process_gone, refused after an event
  model::Labels labels;  // service's labels are not stamped on samples; these are
  std::unique_ptr<const Settings> settings;
};

// All probes of one service. Defaults come from `global`. Mistakes (unknown type, duplicate name, timeout longer than
// interval, the type's own) go to `errors`; path is services.NAME.probes[i].
std::vector<Spec> parse_probes(const std::string& service, const config::Service& settings,
                               const config::Global& global, config::Errors& errors);

}  // namespace probe
