// What Docker's engine says of one container (GET /containers/NAME/json), and what that means for the service. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "model/outcome.h"

namespace probe {

struct ContainerState {
  std::string status;  // created, running, paused, restarting, removing, exited, dead
  int exit_code = 0;   // of its last end
  bool oom_killed = false;
  std::string error;           // why the engine could not start it
  std::uint64_t restarts = 0;  // by its restart policy
  std::optional<base::WallTime> started, finished;
  std::string health = "none";  // none, starting, healthy, unhealthy: of the image's HEALTHCHECK
  std::uint64_t failing_streak = 0;
  int health_exit_code = 0;   // of its last check; -1: it was over its time
  std::string health_output;  // of the same, as it came
};

// Nothing if it is no such answer.
std::optional<ContainerState> read_container(std::string_view body);

// Up while it runs and its health check does not fail. A check that has not passed yet counts as passing: the image
// asked for that time. With measurements.
model::Outcome judge_container(const std::string& name, const ContainerState& state);

// "exit code 137, as after signal 9": the engine does not tell the two apart.
std::string exit_in_words(int code);

}  // namespace probe
