#include "app/service_view.h"

#include "base/log.h"
#include "os/own_view.h"

namespace app {

void ServiceView::look(base::Duration longest_turn) {
  const model::Reading reading{scheduler_.now(), scheduler_.wall_now(), model::since_boot(), longest_turn,
                               model::cpu_pressure()};
  for (const model::Impairment& impairment : self_check_.read(reading))
    base::log::warn("the agent does not act on what it saw meanwhile",
                    {{"impairment", impairment.name}, {"text", impairment.text}});
}

std::vector<model::Impairment> ServiceView::impairments() const {
  std::vector<model::Impairment> all = self_check_.held(scheduler_.now());
  const base::Instant asked_again = scheduler_.now() + std::chrono::seconds{1};
  if (const std::string want = os::own_want(); !want.empty())
    all.push_back({"agent_overloaded", "the agent can open no descriptor: " + want, asked_again});
  if (const std::string want = os::task_want(); !want.empty())
    all.push_back({"agent_overloaded", "the agent can start no process: " + want, asked_again});
  return all;
}

}  // namespace app
