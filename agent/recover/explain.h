// A plan in words, for `explain` and for the person who starts it. Pure.
#pragma once

#include <string>
#include <vector>

#include "recover/guard.h"
#include "recover/plan.h"
#include "recover/plan_spec.h"

namespace recover {

// What would happen next.
std::string next_text(const Plan& plan, const std::vector<Gate>& gates);

// A line for each step: "systemd restart order.service, at most 1m; over if every probe has 1 good run within 30s".
std::vector<std::string> steps_text(const PlanSpec& spec);

}  // namespace recover
