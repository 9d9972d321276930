#include "app/blind_probes.h"

#include "base/log.h"

namespace app {

void BlindProbes::saw(const probe::Spec& spec, const model::Outcome& outcome) {
  const std::pair key(spec.service, spec.name);
  if (outcome.reason == model::Reason::agent_overloaded) {
    if (blind_.insert(key).second)
      base::log::warn("the agent cannot look, and says nothing about the service",
                      {{"service", spec.service}, {"probe", spec.name}, {"text", outcome.text}});
  } else if (blind_.erase(key) > 0) {
    base::log::info("the agent can look again", {{"service", spec.service}, {"probe", spec.name}});
  }
}

}  // namespace app
