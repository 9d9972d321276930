// What an audit finds: a gap between what a node runs and what its configuration watches, mends and tells.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/node.h"

namespace app {

enum class Severity { critical, warning, info };
std::string_view to_string(Severity severity);

enum class Gap {
  no_service,   // a unit or a port of the node that no service has
  no_probe,     // a service, or a port of one, without a probe
  no_rule,      // a service of which no alert speaks
  no_receiver,  // alerts that reach no receiver that is told of faults
  no_dependency,
  no_plan,
  no_drain,      // a plan that cannot take the service out of the load balancer that sends to it
  unreachable,   // a receiver that no alert can reach
  no_objective,  // of a restore drill
};
std::string_view to_string(Gap gap);
std::vector<std::string> gap_names();

struct Finding {
  Severity severity;
  Gap gap;
  config::Mark at;   // line 0: the configuration has no place for it
  std::string path;  // services.order.depends_on
  std::string what;
  std::string fix;  // what to write there

  // In one line: "file:line:column: path: critical: what; fix: … [gap]"
  std::string to_string() const;
};

// The worst first; of the same severity in order of place.
void sort(std::vector<Finding>& findings);

}  // namespace app
