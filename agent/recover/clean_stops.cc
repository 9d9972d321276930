#include "recover/clean_stops.h"

#include <fmt/format.h>

#include <utility>

namespace recover {

void CleanStops::follow(const std::string& service, const std::string& unit, std::function<bool()> ours) {
  if (unit.empty()) return forget(service);
  Unit& entry = units_[service];
  if (entry.name == unit) return;
  entry = {};
  entry.name = unit;
  entry.watch = systemd_.watch_unit(unit, [this, service, ours = std::move(ours)](const auto& state) {
    Unit& known = units_.at(service);
    if (!state) {  // no bus: nothing is known, and probes decide
      known.stopped = known.stopping = false;
      return;
    }
    const bool clean = state->load == "loaded" && state->active == "inactive" && state->result == "success";
    known.stopping = state->active == "deactivating" && !ours();
    if (!clean) known.stopped = false;
    else if (!known.stopped) known.stopped = !ours();
  });
}

std::optional<std::string> CleanStops::text(const std::string& service) const {
  const auto found = units_.find(service);
  if (found == units_.end()) return std::nullopt;
  const Unit& unit = found->second;
  if (unit.stopping) return unit.name + " is being stopped";
  if (!unit.stopped) return std::nullopt;
  return fmt::format("{} was stopped cleanly, not by fettle; to have it back: systemctl start {}, or fettle recover {}",
                     unit.name, unit.name, service);
}

}  // namespace recover
