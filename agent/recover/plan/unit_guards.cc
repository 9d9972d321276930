#include "recover/plan/unit_guards.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "recover/plan/wait_text.h"

namespace recover {
namespace {

using std::chrono::microseconds;

constexpr base::Duration kUsual = std::chrono::seconds{90};  // DefaultTimeoutStartSec=
constexpr base::Duration kMargin = std::chrono::seconds{1};  // systemd's own end of it comes first

bool is_auto_restart(const os::UnitState& state) { return state.sub.starts_with("auto-restart"); }

Guard until(GuardName name, const std::string& what, std::optional<base::Duration> limit, std::string_view setting,
            base::Instant since, base::Instant now) {
  if (!limit)
    return {name, false, fmt::format("{}, for {} now, and {}=infinity lets it", what, wait_text(now - since), setting)};
  const base::Instant opens = since + *limit + kMargin;
  if (now >= opens) return {name, true, fmt::format("{}, for longer than {}={}", what, setting, wait_text(*limit))};
  return {name, false,
          fmt::format("{}, which {} lets take {}, {} to go", what, setting, wait_text(*limit), wait_text(opens - now)),
          opens};
}

Guard starting(const UnitView& view, base::Instant now) {
  const os::UnitState& state = view.state;
  if (!view.starting_since) return {GuardName::unit_starting, true, "no"};
  const std::string what =
      fmt::format("{} is {}{}", view.unit, state.active, state.sub.empty() ? "" : " (" + state.sub + ")");
  const auto limit = start_timeout(state);
  if (!is_auto_restart(state))
    return until(GuardName::unit_starting, what, limit, "TimeoutStartSec", *view.starting_since, now);
  // A unit that ends again and again is not healed by systemd's restarts alone.
  if (view.looping_since && now >= *view.looping_since + limit.value_or(kUsual))
    return {GuardName::unit_starting, true,
            fmt::format("{}: systemd has restarted it in vain for {}", what, wait_text(now - *view.looping_since))};
  const bool known = state.restart_wait_us > 0 && state.restart_wait_us != os::UnitState::kForever;
  return until(GuardName::unit_starting, what + ": systemd starts it again by itself",
               known ? microseconds{state.restart_wait_us} : kUsual, "RestartSec", *view.starting_since, now);
}

}  // namespace

std::optional<base::Duration> start_timeout(const os::UnitState& state) {
  if (state.start_timeout_us == os::UnitState::kForever) return std::nullopt;
  if (state.start_timeout_us == 0) return kUsual;
  return microseconds{state.start_timeout_us};
}

std::vector<Guard> unit_guards(const UnitView& view, Needed needed, base::Instant now) {
  const os::UnitState& state = view.state;
  std::vector<Guard> out;
  if (view.known == UnitView::Known::missing)
    out.push_back({GuardName::unit_missing, needed == Needed::no,
                   fmt::format("systemd knows no unit {}; see: systemctl list-unit-files", view.unit)});
  else out.push_back({GuardName::unit_missing, true, view.known == UnitView::Known::loaded ? "no" : "not known"});
  if (view.known == UnitView::Known::loaded && state.load == "masked")
    out.push_back({GuardName::unit_masked, false,
                   fmt::format("{0} is masked, so nobody may start it; to allow it: systemctl unmask {0}", view.unit)});
  else out.push_back({GuardName::unit_masked, true, "no"});
  out.push_back(starting(view, now));
  if (view.job_since)
    out.push_back(until(GuardName::unit_job, fmt::format("systemd has a {} job for {}", state.job, view.unit),
                        start_timeout(state), "TimeoutStartSec", *view.job_since, now));
  else out.push_back({GuardName::unit_job, true, "no"});
  if (view.known == UnitView::Known::loaded && state.system == "stopping")
    out.push_back({GuardName::node_stopping, false, "the node shuts down"});
  else out.push_back({GuardName::node_stopping, true, "no"});
  return out;
}

std::vector<Guard> merged(std::vector<Guard> of_one, std::vector<Guard> of_other) {
  if (of_one.empty()) return of_other;
  for (std::size_t i = 0; i < of_one.size() && i < of_other.size(); ++i)
    if (of_one[i].open && !of_other[i].open) of_one[i] = std::move(of_other[i]);
  return of_one;
}

bool passes(const Guard& guard) {
  return guard.name == GuardName::unit_starting || guard.name == GuardName::unit_job ||
         guard.name == GuardName::target_busy || guard.name == GuardName::agent_overloaded;
}

}  // namespace recover
