// What plans of the node work on at the same time: two services may name one unit, one container or one command, and a
// service that a reload renamed is another one, whose old run still goes on. Pure.
#pragma once

#include <string>
#include <vector>

#include "recover/plan/guard.h"

namespace recover {

// What the run of another plan does now.
struct TargetUse {
  std::string service, recovery, step;
  std::vector<std::string> targets;  // of its step, as PlanSpec::targets() has them
  bool retired = false;  // its plan was taken out of the configuration by the reload that brought the plan which asks
};

// target_busy: closed while one of `others` works on one of `wanted`. A retired run closes it whatever it works on: the
// plan that asks may be the same one under another name.
Guard target_guard(const std::vector<std::string>& wanted, const std::vector<TargetUse>& others);

}  // namespace recover
