#include "recover/plan/node_budget.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "loop/scheduler.h"
#include "recover/plan/budget.h"
#include "recover/plan/forgotten.h"
#include "state/state.h"

namespace recover {
namespace {

using state::Change;
using state::Table;

constexpr base::Millis kHour{3'600'000};

constexpr const char* kKey = "@node";  // no service can have such a name

Budget budget_of(const NodeLimits& limits) { return {limits.actions_per_hour, kHour, {}}; }

BudgetUsage usage_of(std::vector<base::Instant> actions) {
  BudgetUsage usage;
  usage.attempts = std::move(actions);
  return usage;
}

std::vector<base::Instant> load(const state::State& state, loop::Scheduler& scheduler, const NodeLimits& limits) {
  const auto& table = state.read(Table::budgets);
  const auto found = table.find(kKey);
  if (found == table.end()) {
    const auto forgotten = forgotten_at(state, scheduler);
    if (!forgotten) return {};
    const int left = std::max(1, limits.actions_per_hour / 4);
    return std::vector<base::Instant>(static_cast<std::size_t>(std::max(0, limits.actions_per_hour - left)),
                                      *forgotten);
  }
  auto usage = parse_usage(found->second, scheduler.now(), scheduler.wall_now());
  if (usage) return std::move(usage->attempts);
  base::log::error("the record of the node's actions is unreadable; they count as used up for an hour",
                   {{"error", usage.error().text}});
  return all_used(budget_of(limits), scheduler.now()).attempts;
}

}  // namespace

NodeBudget::NodeBudget(state::State& state, loop::Scheduler& scheduler, NodeLimits limits)
    : scheduler_(scheduler), limits_(std::move(limits)), actions_(load(state, scheduler, limits_)) {}

std::vector<base::Instant> NodeBudget::counted() const {
  std::vector<base::Instant> actions = actions_;
  for (const auto& [service, at] : under_way_) actions.push_back(at);
  std::sort(actions.begin(), actions.end());
  return actions;
}

int NodeBudget::actions_left() const {
  return attempts_left(budget_of(limits_), usage_of(counted()), scheduler_.now());
}

Guard NodeBudget::budget() const {
  const BudgetUsage usage = usage_of(counted());
  const Budget budget = budget_of(limits_);
  const int left = attempts_left(budget, usage, scheduler_.now());
  return {GuardName::node_budget, left > 0,
          fmt::format("{} of {} actions of the node left in 1h", left, budget.attempts),
          next_free(budget, usage, scheduler_.now())};
}

Change NodeBudget::spend(const std::string& service) {
  const base::Instant now = scheduler_.now();
  std::erase_if(actions_, [&](base::Instant t) { return t + kHour <= now; });
  under_way_.try_emplace(service, now);
  return Change::put(Table::budgets, kKey, to_json(usage_of(counted()), now, scheduler_.wall_now()));
}

void NodeBudget::give_back() {
  if (!actions_.empty()) actions_.pop_back();
}

void NodeBudget::settle(const std::string& service, Commit how) {
  const auto ended = under_way_.extract(service);
  if (!ended.empty() && how == Commit::kept) actions_.push_back(ended.mapped());
}

}  // namespace recover
