#include "recover/plan/budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace recover {
namespace {

bool in_window(const Budget& budget, base::Instant attempt, base::Instant now) { return attempt + budget.within > now; }

std::int64_t wall_ms(base::Instant t, base::Instant now, base::WallTime wall) {
  return base::to_ms(wall + std::chrono::duration_cast<base::Millis>(t - now));
}

base::Instant instant(std::int64_t ms, base::Instant now, base::WallTime wall) {
  return now + (base::wall_from_ms(ms) - wall);
}

}  // namespace

int attempts_left(const Budget& budget, const BudgetUsage& usage, base::Instant now) {
  const auto used =
      std::count_if(usage.attempts.begin(), usage.attempts.end(), [&](auto t) { return in_window(budget, t, now); });
  return std::max(0, budget.attempts - static_cast<int>(used));
}

std::optional<base::Instant> next_free(const Budget& budget, const BudgetUsage& usage, base::Instant now) {
  if (attempts_left(budget, usage, now) > 0) return std::nullopt;
  // Of the last `attempts` ones the oldest is in the way; with a budget of 0 nothing ever becomes free.
  const auto size = static_cast<std::ptrdiff_t>(usage.attempts.size());
  if (budget.attempts <= 0 || size < budget.attempts) return base::Instant::max();
  return *(usage.attempts.end() - budget.attempts) + budget.within;
}

base::Duration backoff_delay(const Backoff& backoff, int failures, double chance) {
  if (failures <= 0) return {};
  const double initial = static_cast<double>(backoff.initial.count());
  const double limit = static_cast<double>(backoff.max.count());
  const double plain = std::min(limit, initial * std::pow(backoff.factor, failures - 1));
  return base::Millis{std::llround(plain * (1 + backoff.jitter * (2 * chance - 1)))};
}

BudgetUsage with_attempt(BudgetUsage usage, const Budget& budget, base::Instant now) {
  std::erase_if(usage.attempts, [&](base::Instant t) { return !in_window(budget, t, now); });
  usage.attempts.push_back(now);
  return usage;
}

BudgetUsage without_attempt(BudgetUsage usage) {
  if (!usage.attempts.empty()) usage.attempts.pop_back();
  return usage;
}

BudgetUsage with_recovery(BudgetUsage usage, base::Instant now) {
  usage.recovered_at = now;
  usage.not_before.reset();
  return usage;
}

BudgetUsage with_refusal(BudgetUsage usage, const Budget& budget, base::Instant now, double chance) {
  usage = without_attempt(std::move(usage));
  ++usage.failures;
  usage.not_before = now + backoff_delay(budget.backoff, usage.failures, chance);
  return usage;
}

BudgetUsage with_failure(BudgetUsage usage, const Budget& budget, base::Instant now, double chance) {
  ++usage.failures;
  usage.not_before = now + backoff_delay(budget.backoff, usage.failures, chance);
  if (attempts_left(budget, usage, now) == 0) usage.exhausted = true;
  return usage;
}

std::optional<base::Instant> reset_at(const Budget& budget, const BudgetUsage& usage, base::Instant healthy_since) {
  if (!usage.exhausted && usage.failures == 0) return std::nullopt;
  base::Instant at = healthy_since + budget.backoff.reset_after;
  if (usage.exhausted)
    if (const auto free = next_free(budget, usage, at)) at = *free;
  return at;
}

BudgetUsage reset(BudgetUsage usage) {
  usage.failures = 0;
  usage.not_before.reset();
  usage.exhausted = false;
  return usage;
}

BudgetUsage acknowledged(BudgetUsage usage) {
  usage.attempts.clear();
  usage.aborted.clear();
  return calmed(reset(std::move(usage)));
}

BudgetUsage with_transition(BudgetUsage usage, const Flapping& limit, base::Instant now) {
  std::erase_if(usage.transitions, [&](base::Instant t) { return t + limit.within <= now; });
  usage.transitions.push_back(now);
  if (static_cast<int>(usage.transitions.size()) >= limit.transitions) usage.flapping = true;
  return usage;
}

std::optional<base::Instant> calm_at(const Flapping& limit, const BudgetUsage& usage) {
  if (!usage.flapping) return std::nullopt;
  return (usage.transitions.empty() ? base::Instant{} : usage.transitions.back()) + limit.within;
}

BudgetUsage calmed(BudgetUsage usage) {
  usage.transitions.clear();
  usage.flapping = false;
  return usage;
}

std::string to_json(const BudgetUsage& usage, base::Instant now, base::WallTime wall) {
  nlohmann::json out{{"failures", usage.failures}, {"exhausted", usage.exhausted}};
  if (usage.flapping) out["flapping"] = true;
  if (!usage.aborted.empty()) out["aborted"] = usage.aborted;
  if (!usage.transitions.empty()) {
    auto& transitions = out["transitions_ms"] = nlohmann::json::array();
    for (const base::Instant t : usage.transitions) transitions.push_back(wall_ms(t, now, wall));
  }
  auto& attempts = out["attempts_ms"] = nlohmann::json::array();
  for (const base::Instant t : usage.attempts) attempts.push_back(wall_ms(t, now, wall));
  if (usage.not_before) out["not_before_ms"] = wall_ms(*usage.not_before, now, wall);
  if (usage.recovered_at) out["recovered_at_ms"] = wall_ms(*usage.recovered_at, now, wall);
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

base::Result<BudgetUsage> parse_usage(const std::string& json, base::Instant now, base::WallTime wall) {
  try {
    const auto in = nlohmann::json::parse(json);
    BudgetUsage usage;
    usage.failures = in.at("failures").get<int>();
    usage.exhausted = in.at("exhausted").get<bool>();
    for (const auto& t : in.at("attempts_ms"))
      usage.attempts.push_back(std::min(now, instant(t.get<std::int64_t>(), now, wall)));
    usage.flapping = in.value("flapping", false);
    usage.aborted = in.value("aborted", "");
    if (in.contains("transitions_ms"))
      for (const auto& t : in["transitions_ms"])
        usage.transitions.push_back(std::min(now, instant(t.get<std::int64_t>(), now, wall)));
    if (in.contains("not_before_ms")) usage.not_before = instant(in["not_before_ms"].get<std::int64_t>(), now, wall);
    if (in.contains("recovered_at_ms"))
      usage.recovered_at = std::min(now, instant(in["recovered_at_ms"].get<std::int64_t>(), now, wall));
    return usage;
  } catch (const nlohmann::json::exception& e) {
    return base::fail(base::Kind::invalid, fmt::format("a budget record cannot be read: {}", e.what()));
  }
}

BudgetUsage all_but_one_used(const Budget& budget, base::Instant at) {
  BudgetUsage usage;
  usage.attempts.assign(static_cast<std::size_t>(std::max(0, budget.attempts - 1)), at);
  return usage;
}

BudgetUsage all_used(const Budget& budget, base::Instant now) {
  BudgetUsage usage;
  usage.attempts.assign(static_cast<std::size_t>(std::max(0, budget.attempts)), now);
  usage.exhausted = true;
  return usage;
}

}  // namespace recover
