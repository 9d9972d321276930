// What the run of a plan does with the units of its service.
#pragma once

namespace recover {

// An action that may heal is under way, or was; none: not yet, or not any more.
enum class UnitWork { none, acting, has_acted };

}  // namespace recover
