// What a plan would have done about an incident, had it been allowed to: from the runs of its dry run, the guards that
// held it, and how the service came back. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "model/incident.h"

namespace model {

// none: nothing is to be said: the incident is not over, the plan acted for real, or the service was never in it.
// itself: it ended before the plan would have acted. person: the service was in maintenance, and the plan would have
// left it alone. dependency: what it depends on was the cause, and the plan would have left it alone.
// held: a guard would have held the plan back to the end. acted: it would have acted.
enum class WouldHave { none, itself, person, dependency, held, acted };
std::string_view to_string(WouldHave would);  // "" for none

struct Counterfactual {
  WouldHave would = WouldHave::none;
  base::Millis down{};       // as long as the service was down
  std::string what{};        // the action that may heal, the guard, or the service that was the cause
  std::size_t times = 0;     // acted: so often
  std::size_t needless = 0;  // of these, it came back by itself within the time of the verification
  bool blamed = false;       // acted: although a service that it depends on was the cause
  // acted: from the first failed run to the first action; from the last action until it was up without it.
  base::Millis first_after{}, up_after{};
};

// It has ended, or nothing of it is wrong any more: what it does then is part of it only if it comes back soon.
bool is_over(const Incident& incident);

// Of an incident of the service, or one of what it depends on.
Counterfactual counterfactual(const Incident& incident, const std::string& service);

// "healed by itself after 12s", "redis was the cause", "would have been restarted twice". "" for none.
std::string text_of(const Counterfactual& counterfactual);

// Of an incident in which its service's plan was in dry run; else "".
std::string dry_run_text(const Incident& incident);

// The first action of a run that may heal, unless it was refused; null: none.
const ActionReport* healing_action(const RecoveryReport& run);

}  // namespace model
