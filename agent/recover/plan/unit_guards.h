// What systemd is doing with a unit, as guards: one that is starting, reloading or has a job is left alone for as long
// as its own start timeout allows; one that is masked or not there cannot be healed by a job. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "os/systemd/unit_state.h"
#include "recover/plan/guard.h"

namespace recover {

// A unit as it was last heard of.
struct UnitView {
  enum class Known { nothing, missing, loaded };  // nothing: no bus, or no answer yet
  std::string unit;
  Known known = Known::nothing;
  os::UnitState state{};
  std::optional<base::Instant> starting_since{};  // or reloading: since its newest step began
  std::optional<base::Instant> job_since{};
  std::optional<base::Instant> looping_since{};  // the first of systemd's own restarts that follow one another
};

// Whether the step that comes asks for a job on this very unit, or signals its process.
enum class Needed { no, yes };

// Time that systemd gives a start of the unit; nullopt: for ever.
std::optional<base::Duration> start_timeout(const os::UnitState& state);

// unit_missing, unit_masked, unit_starting, unit_job, node_stopping. unit_starting and unit_job open when the start
// timeout is over, or never where that is infinity; for systemd's own restart (auto-restart) when its wait is.
std::vector<Guard> unit_guards(const UnitView& view, Needed needed, base::Instant now);

// Guards of several units as one list: for each name the first that is closed.
std::vector<Guard> merged(std::vector<Guard> of_one, std::vector<Guard> of_other);

// Opens by itself, because what systemd or another plan has begun ends, or the agent has room again: a run waits for it
// and is not given up.
bool passes(const Guard& guard);

}  // namespace recover
