// What is known of earlier attempts after the state file was damaged: nothing. A service without a record has one
// attempt left then, and the node a quarter of its actions, until the time of their budgets is over. When that was is
// durable, so that another start does not give the whole budget back. Loop thread.
#pragma once

#include <optional>

#include "base/time.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace state {
class State;
}  // namespace state

namespace recover {

// When the records of before were lost: at this start, or at an earlier one of which this state knows; nullopt: never.
std::optional<base::Instant> forgotten_at(const state::State& state, const loop::Scheduler& scheduler);

// Makes it durable if it was at this start. Once, before any budget is written.
void note_forgotten(state::State& state, const loop::Scheduler& scheduler);

}  // namespace recover
