#include "app/service_view.h"

#include "base/log.h"

namespace app {

void ServiceView::look(base::Duration longest_turn) {
  const model::Reading reading{scheduler_.now(), scheduler_.wall_now(), model::since_boot(), longest_turn,
                               model::cpu_pressure()};
  for (const model::Impairment& impairment : self_check_.read(reading))
    base::log::warn("the agent does not act on what it saw meanwhile",
                    {{"doubt", impairment.name}, {"text", impairment.text}});
}

}  // namespace app
