// What a recovery did, step by step: shown on pages, sent with notifications, kept in the audit.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"

namespace model {

// One action of one step. In dry run the same report is written with result "would_run".
struct ActionReport {
  std::string action;  // as configured: "systemd restart", "command /usr/lib/…", "alert page", "drain"
  std::string result;  // ok, failed, timeout, would_run, refused
  std::string text;    // what happened, for a person
  base::WallTime started{};
  base::Duration took{};
  bool may_heal = false;  // a restart, say; not drain, ask or alert
};

// A run of a plan from its trigger to its end. `ended` is empty while it goes on.
struct RecoveryReport {
  std::string id;  // unique, in every record about this run
  std::string service;
  std::string trigger;  // "alert ServiceDown" or "operator"
  std::string mode;     // dry_run, ask or enforce
  std::string state;    // blocked, acting, verifying, recovered, failed, exhausted, aborted, would_run
  std::string reason;   // a guard's name while blocked; who or what stopped it once aborted; else ""
  int attempt = 0;      // of the budget, from 1
  std::vector<ActionReport> actions;
  base::WallTime started{};
  std::optional<base::WallTime> ended;
};

}  // namespace model
