// The record of a rollout, as it lies in the store: rollout.h says what becomes of it. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "cluster/identity.h"

namespace cluster {

// waiting: its turn has not come, or what holds it back has not passed. working: it has begun, or is about to.
enum class PartState { waiting, working, done, failed };
std::string_view to_string(PartState state);

// What one member does.
struct RolloutPart {
  Identity who{};
  PartState state = PartState::waiting;
  base::WallTime since{};
  std::string text{};  // why it failed
};

enum class RolloutState { running, stopped, aborted, done };
std::string_view to_string(RolloutState state);

struct Rollout {
  std::string id;
  int round = 1;            // each resume begins another one
  std::string action;       // as PlanSpec::step_of has it; "": the first step that may heal
  int batch = 1;            // members at once
  base::Millis deadline{};  // a member that has not begun by then stops the rollout
  std::string by;           // who began it, and why
  base::WallTime started{};
  RolloutState state = RolloutState::running;
  std::string why{};                 // it is stopped or aborted
  base::WallTime since{};            // that its state is this
  std::vector<RolloutPart> parts{};  // in their order: by node and service
};

// What a run is for, in its report: it tells the runs of one round from all others.
std::string trigger_of(const Rollout& rollout);
std::string rollout_key(const std::string& group);
std::string rollout_value(const Rollout& rollout);
// Nothing: it is no record of ours.
std::optional<Rollout> read_rollout(const std::string& value);

}  // namespace cluster
