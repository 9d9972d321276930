#include "recover/node_limit.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "recover/budget.h"

namespace recover {
namespace {

using state::Change;
using state::Table;

constexpr base::Millis kHour{3'600'000};

// No service can have such a name.
std::string key_of(Mode mode) { return mode == Mode::dry_run ? "dry_run:@node" : "@node"; }

Budget budget_of(const NodeLimits& limits) { return {limits.actions_per_hour, kHour, {}}; }

Spent spent_of(std::vector<base::Instant> actions) {
  Spent spent;
  spent.attempts = std::move(actions);
  return spent;
}

std::vector<base::Instant> load(const state::State& state, loop::Scheduler& scheduler, const NodeLimits& limits,
                                Mode mode) {
  const auto& table = state.read(Table::budgets);
  const auto found = table.find(key_of(mode));
  if (found == table.end()) return {};
  auto spent = parse_spent(found->second, scheduler.now(), scheduler.wall_now());
  if (spent) return std::move(spent->attempts);
  base::log::error("the record of the node's actions is unreadable; they count as used up for an hour",
                   {{"error", spent.error().text}});
  return all_used(budget_of(limits), scheduler.now()).attempts;
}

}  // namespace

NodeLimit::NodeLimit(state::State& state, loop::Scheduler& scheduler, NodeLimits limits)
    : scheduler_(scheduler),
      limits_(std::move(limits)),
      real_{load(state, scheduler, limits_, Mode::enforce)},
      rehearsed_{load(state, scheduler, limits_, Mode::dry_run)} {}

Gate NodeLimit::place(const std::vector<std::string>& acting) const {
  const auto count = static_cast<int>(acting.size());
  if (count < limits_.plans_at_once)
    return {"node_busy", true, fmt::format("{} of {} places taken", count, limits_.plans_at_once)};
  return {"node_busy", false,
          fmt::format("{} {} being recovered; at most {} at a time", fmt::join(acting, ", "), count == 1 ? "is" : "are",
                      limits_.plans_at_once)};
}

std::vector<base::Instant> NodeLimit::counted(Mode mode) const {
  std::vector<base::Instant> actions = book(mode).actions;
  for (const auto& [service, spending] : under_way_)
    if ((spending.mode == Mode::dry_run) == (mode == Mode::dry_run)) actions.push_back(spending.at);
  std::sort(actions.begin(), actions.end());
  return actions;
}

int NodeLimit::actions_left(Mode mode) const {
  return attempts_left(budget_of(limits_), spent_of(counted(mode)), scheduler_.now());
}

Gate NodeLimit::budget(Mode mode) const {
  const Spent spent = spent_of(counted(mode));
  const Budget budget = budget_of(limits_);
  const int left = attempts_left(budget, spent, scheduler_.now());
  return {"node_budget", left > 0, fmt::format("{} of {} actions of the node left in 1h", left, budget.attempts),
          next_free(budget, spent, scheduler_.now())};
}

Change NodeLimit::spend(const std::string& service, Mode mode) {
  const base::Instant now = scheduler_.now();
  std::erase_if(book(mode).actions, [&](base::Instant t) { return t + kHour <= now; });
  under_way_.try_emplace(service, Spending{mode, now});
  return Change::put(Table::budgets, key_of(mode), to_json(spent_of(counted(mode)), now, scheduler_.wall_now()));
}

void NodeLimit::settle(const std::string& service, Commit how) {
  const auto ended = under_way_.extract(service);
  if (!ended.empty() && how == Commit::kept) book(ended.mapped().mode).actions.push_back(ended.mapped().at);
}

}  // namespace recover
