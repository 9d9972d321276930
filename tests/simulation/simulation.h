// A fleet in virtual time: agents with their plans, slots and fleet clients, as the agent wires them, on loops of their
// own, services that crash, and a judge that knows the truth. One seed, one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"

namespace simulation {

// What the wiring of a mutant leaves out. A mutant must be found.
enum class Mutant {
  none,
  no_slots,        // plans act without a slot of the fleet
  no_min_healthy,  // the agents do not know of min_healthy
  no_panic,        // nor of the panic threshold
  no_deadline,     // the clock of leases stands still: one that has ended is believed in
  no_release,      // slots are never given back
  no_batches,      // the agents take all members of a rollout for one batch
  no_stop,         // nor do they know that a part of it has failed
};

struct Settings {
  std::uint64_t seed = 1;
  int agents = 21;
  int group_size = 7;
  int faults = 200;                           // in all
  base::Duration mean_pause{20'000'000'000};  // between two faults of the whole fleet
  bool peers = false;                         // no store: the agents ask each other
  bool rollouts = false;                      // people roll out releases meanwhile
  Mutant mutant = Mutant::none;
  std::string trace{};  // a group of which everything is printed
};

struct Figures {
  std::uint64_t events = 0, requests = 0;
  int faults = 0, restarts = 0, alone = 0, panics = 0;
  int rollouts = 0, stops = 0, resumes = 0, aborts = 0;
  double rest_per_minute = 0, storm_per_minute = 0;  // requests of an agent
  base::Duration virtual_time{};
  std::vector<std::string> violations;  // the first few
};

Figures simulate(const Settings& settings);

}  // namespace simulation
