#include "recover/plan/forgotten.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/number.h"
#include "loop/scheduler.h"
#include "state/state.h"

namespace recover {
namespace {

constexpr const char* kKey = "@forgotten";  // no service can have such a name

}  // namespace

std::optional<base::Instant> forgotten_at(const state::State& state, const loop::Scheduler& scheduler) {
  const base::Instant now = scheduler.now();
  if (state.damage().forgotten) return now;
  const auto& budgets = state.read(state::Table::budgets);
  const auto found = budgets.find(kKey);
  if (found == budgets.end()) return std::nullopt;
  const auto at = base::leading_number<std::int64_t>(found->second);
  if (!at) return now;  // a damaged record must not open the guard
  return std::min(now, now - (scheduler.wall_now() - base::wall_from_ms(*at)));
}

void note_forgotten(state::State& state, const loop::Scheduler& scheduler) {
  if (!state.damage().forgotten) return;
  const std::string at = fmt::format("{}", base::to_ms(scheduler.wall_now()));
  state.commit({state::Change::put(state::Table::budgets, kKey, at)}, [](const base::Result<>& written) {
    if (!written)
      base::log::error("could not write that earlier recoveries are not known", {{"error", written.error().text}});
  });
}

}  // namespace recover
