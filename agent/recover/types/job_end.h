// The end of a systemd job as an action tells it: what happened, and what to do next.
#pragma once

#include <fmt/format.h>

#include <string>

#include "base/result.h"
#include "recover/action.h"

namespace recover {

// `what` begins the sentence: "systemd restart order.service".
inline ActionResult job_error(const std::string& what, const base::Error& error) {
  switch (error.kind) {
    case base::Kind::permission:
      return {ActionStatus::refused,
              fmt::format("{}: not allowed ({}); polkit must grant org.freedesktop.systemd1.manage-units for "
                          "this unit and verb: install the rule that `fettle check config --print-polkit` "
                          "prints",
                          what, error.text)};
    case base::Kind::cancelled:
      return {ActionStatus::refused,
              fmt::format("{}: somebody else's job on the unit goes first; nothing was done ({})", what, error.text)};
    case base::Kind::limit: return {ActionStatus::failed, what + ": " + error.text, true};
    case base::Kind::timeout: return {ActionStatus::timeout, what + ": " + error.text};
    default: return {ActionStatus::failed, what + ": " + error.text};
  }
}

inline ActionResult job_end(const std::string& what, const std::string& unit, const base::Result<std::string>& job) {
  if (!job) return job_error(what, job.error());
  if (*job == "done") return {ActionStatus::ok, what + ": done"};
  if (*job == "canceled")
    return {ActionStatus::failed,
            fmt::format("{}: the job ended as 'canceled': a later job on the unit took its place", what)};
  return {*job == "timeout" ? ActionStatus::timeout : ActionStatus::failed,
          fmt::format("{}: the job ended as '{}'; see: journalctl -u {}", what, *job, unit)};
}

}  // namespace recover
