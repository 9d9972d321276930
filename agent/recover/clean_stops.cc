#include "recover/clean_stops.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <utility>

namespace recover {
namespace {

constexpr int kEndedBySigterm = 128 + 15;

bool ended_cleanly(const loop::UnitState& state) {
  if (state.load != "loaded") return false;
  if (state.active == "inactive") return state.result == "success";
  return state.active == "failed" && state.result == "exit-code" && state.exec_main_code == CLD_EXITED &&
         state.exec_main_status == kEndedBySigterm;
}

}  // namespace

void CleanStops::follow(const std::string& service, const std::string& unit, std::function<bool()> ours) {
  if (unit.empty()) return forget(service);
  Unit& entry = units_[service];
  if (entry.name == unit) return;
  entry = {};
  entry.name = unit;
  entry.ours = std::move(ours);
  entry.watch = systemd_.watch_unit(unit, [this, service](const auto& state) {
    Unit& known = units_.at(service);
    if (state) return note(known, *state);
    known.last.reset();
    known.stopped = known.stopping = false;  // no bus: nothing is known, and probes decide
  });
}

void CleanStops::note(Unit& known, const loop::UnitState& state) {
  // To hear the same once more, because it was asked for, makes nobody else its cause.
  if (known.last == state) return;
  known.last = state;
  const bool was_stopping = known.stopping;
  // A unit that crashed goes through "deactivating", too; its result says so by then.
  known.stopping =
      (state.job == "stop" || (state.active == "deactivating" && state.result == "success")) && !known.ours();
  if (state.active != "inactive" && state.active != "failed") {
    known.stopped = known.failed_by_it = false;
    return;
  }
  known.stopping = false;
  const bool clean = ended_cleanly(state);
  if (known.failed_by_it && !clean && known.active_enter_us == state.active_enter_us) return;
  known.failed_by_it = was_stopping && !clean;
  known.active_enter_us = state.active_enter_us;
  if (!clean && !was_stopping) known.stopped = false;
  else if (!known.stopped) known.stopped = !known.ours();
}

loop::Handle CleanStops::ask(const std::string& service, base::Instant deadline, std::function<void()> done) {
  const std::string unit = units_.at(service).name;
  return systemd_.read_unit(unit, deadline, [this, service, unit, done = std::move(done)](const auto& state) {
    const auto known = units_.find(service);
    if (state && known != units_.end() && known->second.name == unit) note(known->second, *state);
    done();
  });
}

std::optional<std::string> CleanStops::text(const std::string& service) const {
  const auto found = units_.find(service);
  if (found == units_.end()) return std::nullopt;
  const Unit& unit = found->second;
  if (unit.stopping) return unit.name + " is being stopped";
  if (!unit.stopped) return std::nullopt;
  return fmt::format("{} was stopped{}, not by fettle; to have it back: systemctl start {}, or fettle recover {}",
                     unit.name, unit.failed_by_it ? "" : " cleanly", unit.name, service);
}

}  // namespace recover
