// The polkit rule for what recovery plans ask of systemd and logind, and for nothing else: exact units, exact verbs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "recover/action.h"

namespace recover {

// What the action asks of systemd: its job, and reset-failed beside one that starts a unit, for a unit that has hit its
// start limit.
std::vector<SystemdJob> jobs_of(const Action& action);

// JavaScript as polkit(8) reads it from /etc/polkit-1/rules.d; `made_from` is named in its first line. systemd tells
// polkit the unit's own name, never an alias.
std::string polkit_rule(const std::vector<SystemdJob>& jobs, std::string_view made_from, std::string_view user);

}  // namespace recover
