// One run of a probe outside any schedule: `fettle probe`, `/probe?target=`.
#pragma once

#include <memory>

#include "probe/attempt.h"
#include "probe/probe.h"
#include "probe/spec.h"

namespace probe {

// `done` comes exactly once, in a later turn, at the latest at the deadline. Both references must live until then, and
// so must the Attempt; drop it after `done` has returned, or before, to cancel.
inline std::unique_ptr<Attempt> run_once(const Context& context, const Spec& spec, Done done) {
  return std::make_unique<Attempt>(context, spec, std::move(done));
}

// 0 up, 2 down, 3 the agent's own fault: as Nagios plugins exit.
inline int nagios_exit_code(const model::Outcome& outcome) {
  if (outcome.up) return 0;
  return outcome.reason == model::Reason::agent_overloaded ? 3 : 2;
}

}  // namespace probe
