// One run of one probe: a fresh Probe, one absolute deadline, one outcome. Used by the Schedule and by run_once().
// Loop thread.
#pragma once

#include <memory>

#include "base/time.h"
#include "probe/probe.h"
#include "probe/spec.h"

namespace probe {

// `done` comes exactly once, from a later turn, with `took` filled in. A Probe that is silent at its deadline fails
// with the type's `late` reason; what it says afterwards is not heard. A run that ran out of time while the agent
// itself stood still fails with agent_overloaded, and so does one that failed while the agent can open no descriptor:
// that is no word about the service. Dropping the Attempt cancels the run; where the Probe may be on the stack (inside
// `done`, or where that is not known) it goes by loop::DeferredDelete.
class Attempt {
 public:
  Attempt(const Context& context, const Spec& spec, Done done);
  ~Attempt();

  base::Instant started() const;
  base::Instant deadline() const;
  // Ends a run that is still going as late, now: for a caller whose turn is older than the deadline's own timer.
  void expire();
  // `done` will not come any more, also if the answer is ready in this turn.
  void cut();

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace probe
