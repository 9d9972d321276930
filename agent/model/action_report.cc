#include "model/action_report.h"

#include <array>
#include <utility>
#include <vector>

#include "base/enum_names.h"

namespace model {
namespace {

constexpr std::array kModes{
    std::pair{RecoveryMode::dry_run, "dry_run"},
    std::pair{RecoveryMode::ask, "ask"},
    std::pair{RecoveryMode::enforce, "enforce"},
};

constexpr std::array kStates{
    std::pair{RecoveryState::none, ""},
    std::pair{RecoveryState::blocked, "blocked"},
    std::pair{RecoveryState::acting, "acting"},
    std::pair{RecoveryState::asking, "asking"},
    std::pair{RecoveryState::holding, "holding"},
    std::pair{RecoveryState::verifying, "verifying"},
    std::pair{RecoveryState::recovered, "recovered"},
    std::pair{RecoveryState::failed, "failed"},
    std::pair{RecoveryState::exhausted, "exhausted"},
    std::pair{RecoveryState::aborted, "aborted"},
    std::pair{RecoveryState::would_run, "would_run"},
};

constexpr std::array kPlanStates{
    std::pair{PlanState::idle, "idle"},           std::pair{PlanState::blocked, "blocked"},
    std::pair{PlanState::backoff, "backoff"},     std::pair{PlanState::acting, "acting"},
    std::pair{PlanState::asking, "asking"},       std::pair{PlanState::holding, "holding"},
    std::pair{PlanState::verifying, "verifying"}, std::pair{PlanState::recovered, "recovered"},
    std::pair{PlanState::exhausted, "exhausted"},
};

constexpr std::array kStatuses{
    std::pair{ActionStatus::none, ""},           std::pair{ActionStatus::ok, "ok"},
    std::pair{ActionStatus::failed, "failed"},   std::pair{ActionStatus::timeout, "timeout"},
    std::pair{ActionStatus::refused, "refused"}, std::pair{ActionStatus::would_run, "would_run"},
};

}  // namespace

std::string_view to_string(RecoveryMode mode) { return base::name_in(kModes, mode); }
std::string_view to_string(RecoveryState state) { return base::name_in(kStates, state); }
std::string_view to_string(PlanState state) { return base::name_in(kPlanStates, state); }
std::string_view to_string(ActionStatus status) { return base::name_in(kStatuses, status); }

std::optional<RecoveryMode> parse_recovery_mode(std::string_view word) { return base::value_in(kModes, word); }
std::optional<RecoveryState> parse_recovery_state(std::string_view word) { return base::value_in(kStates, word); }
std::optional<PlanState> parse_plan_state(std::string_view word) { return base::value_in(kPlanStates, word); }
std::optional<ActionStatus> parse_action_status(std::string_view word) { return base::value_in(kStatuses, word); }

const std::vector<PlanState>& all_plan_states() {
  static const std::vector<PlanState> states = [] {
    std::vector<PlanState> out;
    for (const auto& [value, word] : kPlanStates) out.push_back(value);
    return out;
  }();
  return states;
}

}  // namespace model
