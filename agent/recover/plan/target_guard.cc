#include "recover/plan/target_guard.h"

#include <fmt/format.h>

#include <algorithm>

namespace recover {

Guard target_guard(const std::vector<std::string>& wanted, const std::vector<TargetUse>& others) {
  for (const TargetUse& other : others) {
    if (other.retired)
      return {GuardName::target_busy, false,
              fmt::format("recovery {} of {}, which this configuration does not have any more, has not ended: {}",
                          other.recovery, other.service, other.step)};
    for (const std::string& target : wanted)
      if (std::find(other.targets.begin(), other.targets.end(), target) != other.targets.end())
        return {GuardName::target_busy, false,
                fmt::format("recovery {} of {} works on {}: {}", other.recovery, other.service, target, other.step)};
  }
  return {GuardName::target_busy, true, "no"};
}

}  // namespace recover
