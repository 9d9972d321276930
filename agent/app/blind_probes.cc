#include "app/blind_probes.h"

#include "base/log.h"

namespace app {
namespace {

constexpr base::Duration kQuiet = std::chrono::minutes{1};

}  // namespace

void BlindProbes::saw(const probe::Spec& spec, const model::Outcome& outcome, base::Instant now) {
  const std::pair key(spec.service, spec.name);
  const auto found = holes_.find(key);
  if (outcome.reason == model::Reason::agent_overloaded) {
    // What comes and goes, as with an agent that gets too little CPU, is not told each time.
    if (found != holes_.end() && (found->second.open || now - found->second.told < kQuiet)) return;
    holes_[key] = {now, true};
    base::log::warn("the agent cannot look, and says nothing about the service",
                    {{"service", spec.service}, {"probe", spec.name}, {"text", outcome.text}});
  } else if (found != holes_.end() && found->second.open) {
    found->second.open = false;
    base::log::info("the agent can look again", {{"service", spec.service}, {"probe", spec.name}});
  }
}

}  // namespace app
