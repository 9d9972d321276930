// Recovery plans over what was recorded: the plans, guards, budgets and rules of the agent itself, on a clock that the
// samples move. Actions are not carried out; one counts as having worked at once, and the runs of probes that follow
// it are those that were recorded. What no sample has is taken as if nothing spoke against acting: what systemd does
// with a unit, what people stopped, the slots of a fleet, how loaded the agent was.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "app/loaded_config.h"
#include "app/replay/recording.h"
#include "base/time.h"

namespace app {

enum class Decided { down, up, fires, resolved, held, begins, action, waits, ends, page };
std::string_view to_string(Decided what);

struct Decision {
  base::WallTime at{};
  std::string service;
  Decided what = Decided::down;
  std::string name;     // of the alert, the guard, the action; of an end the state
  std::string text;     // for a person
  std::size_t run = 0;  // of the service's plan, counted from 1; 0: it belongs to none
  int attempt = 0;      // of the budget
};

struct PlanReplay {
  std::vector<Decision> decisions;  // in order
  base::WallTime from{}, to{};      // of the samples
  std::size_t runs = 0;             // of probes
  std::vector<std::string> notes;   // what of the file could not be used
};

enum class ReplayMode { configured, enforce };  // enforce: as if every plan were

// `loaded` is used up. The same samples and configuration give the same decisions.
PlanReplay replay_plans(LoadedConfig loaded, std::vector<promql::MemoryQueryable::Entry> samples, ReplayMode mode);

}  // namespace app
