// Whether a plan works on its service, for those that keep away from it meanwhile.
#pragma once

#include "recover/plan/explain.h"

namespace app {

// It acts, or waits for a person or for what it did; one that a guard holds back is not.
inline bool is_under_way(const recover::PlanStatus& plan) {
  using State = model::PlanState;
  return plan.mode != model::RecoveryMode::dry_run && (plan.state == State::acting || plan.state == State::asking ||
                                                       plan.state == State::holding || plan.state == State::verifying);
}

}  // namespace app
