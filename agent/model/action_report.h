// What a recovery did, step by step: shown on pages, sent with notifications, kept in the audit.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace model {

// The words of these enums are durable, and those of the API, of labels and of the configuration. to_string() gives
// them, parse_…() reads them: nothing for any other word.

enum class RecoveryMode { dry_run, ask, enforce };

// Of one run of a plan. none, "": it has not begun.
enum class RecoveryState {
  none,
  blocked,
  acting,
  asking,
  holding,
  verifying,
  recovered,
  failed,
  exhausted,
  aborted,
  would_run,
};

// Of a plan, which outlives its runs.
enum class PlanState { idle, blocked, backoff, acting, asking, holding, verifying, recovered, exhausted };

// How an action ended. none, "": it has not. In dry run the same report is written with would_run.
enum class ActionStatus { none, ok, failed, timeout, refused, would_run };

std::string_view to_string(RecoveryMode mode);
std::string_view to_string(RecoveryState state);
std::string_view to_string(PlanState state);
std::string_view to_string(ActionStatus status);

std::optional<RecoveryMode> parse_recovery_mode(std::string_view word);
std::optional<RecoveryState> parse_recovery_state(std::string_view word);
std::optional<PlanState> parse_plan_state(std::string_view word);
std::optional<ActionStatus> parse_action_status(std::string_view word);

const std::vector<PlanState>& all_plan_states();

// One action of one step.
struct ActionReport {
  std::string action;  // as configured: "systemd restart", "command /usr/lib/…", "alert page", "drain"
  ActionStatus result = ActionStatus::none;
  std::string text;  // what happened, for a person
  base::WallTime started{};
  base::Duration took{};
  bool may_heal = false;  // a restart, say; not drain, ask or alert
};

// A run of a plan from its trigger to its end. `ended` is empty while it goes on.
struct RecoveryReport {
  std::string id;  // unique, in every record about this run
  std::string service;
  std::string trigger;  // "alert ServiceDown" or "operator"
  RecoveryMode mode = RecoveryMode::dry_run;
  RecoveryState state = RecoveryState::none;
  std::string reason;  // a guard's name while blocked; who or what stopped it once aborted; else ""
  int attempt = 0;     // of the budget, from 1
  std::vector<ActionReport> actions;
  base::WallTime started{};
  std::optional<base::WallTime> ended;
};

}  // namespace model
