#include "app/world.h"

#include "base/log.h"

namespace app {

void World::look(base::Duration longest_turn) {
  const loop::Reading reading{scheduler_.now(), scheduler_.wall_now(), loop::since_boot(), longest_turn,
                              loop::cpu_pressure()};
  for (const loop::Doubt& doubt : doubts_.read(reading))
    base::log::warn("the agent does not act on what it saw meanwhile", {{"doubt", doubt.name}, {"text", doubt.text}});
}

}  // namespace app
