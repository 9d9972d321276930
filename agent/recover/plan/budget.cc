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

int attempts_left(const Budget& budget, const Spent& spent, base::Instant now) {
  const auto used =
      std::count_if(spent.attempts.begin(), spent.attempts.end(), [&](auto t) { return in_window(budget, t, now); });
  return std::max(0, budget.attempts - static_cast<int>(used));
}

std::optional<base::Instant> next_free(const Budget& budget, const Spent& spent, base::Instant now) {
  if (attempts_left(budget, spent, now) > 0) return std::nullopt;
  // Of the last `attempts` ones the oldest is in the way; with a budget of 0 nothing ever becomes free.
  const auto size = static_cast<std::ptrdiff_t>(spent.attempts.size());
  if (budget.attempts <= 0 || size < budget.attempts) return base::Instant::max();
  return *(spent.attempts.end() - budget.attempts) + budget.within;
}

base::Duration backoff_delay(const Backoff& backoff, int failures, double chance) {
  if (failures <= 0) return {};
  const double initial = static_cast<double>(backoff.initial.count());
  const double limit = static_cast<double>(backoff.max.count());
  const double plain = std::min(limit, initial * std::pow(backoff.factor, failures - 1));
  return base::Millis{std::llround(plain * (1 + backoff.jitter * (2 * chance - 1)))};
}

Spent with_attempt(Spent spent, const Budget& budget, base::Instant now) {
  std::erase_if(spent.attempts, [&](base::Instant t) { return !in_window(budget, t, now); });
  spent.attempts.push_back(now);
  return spent;
}

Spent with_recovery(Spent spent, base::Instant now) {
  spent.recovered_at = now;
  spent.not_before.reset();
  return spent;
}

Spent with_failure(Spent spent, const Budget& budget, base::Instant now, double chance) {
  ++spent.failures;
  spent.not_before = now + backoff_delay(budget.backoff, spent.failures, chance);
  if (attempts_left(budget, spent, now) == 0) spent.exhausted = true;
  return spent;
}

std::optional<base::Instant> reset_at(const Budget& budget, const Spent& spent, base::Instant healthy_since) {
  if (!spent.exhausted && spent.failures == 0) return std::nullopt;
  base::Instant at = healthy_since + budget.backoff.reset_after;
  if (spent.exhausted)
    if (const auto free = next_free(budget, spent, at)) at = *free;
  return at;
}

Spent reset(Spent spent) {
  spent.failures = 0;
  spent.not_before.reset();
  spent.exhausted = false;
  return spent;
}

Spent acknowledged(Spent spent) {
  spent.attempts.clear();
  spent.aborted.clear();
  return calmed(reset(std::move(spent)));
}

Spent with_transition(Spent spent, const Flapping& limit, base::Instant now) {
  std::erase_if(spent.transitions, [&](base::Instant t) { return t + limit.within <= now; });
  spent.transitions.push_back(now);
  if (static_cast<int>(spent.transitions.size()) >= limit.transitions) spent.flapping = true;
  return spent;
}

std::optional<base::Instant> calm_at(const Flapping& limit, const Spent& spent) {
  if (!spent.flapping) return std::nullopt;
  return (spent.transitions.empty() ? base::Instant{} : spent.transitions.back()) + limit.within;
}

Spent calmed(Spent spent) {
  spent.transitions.clear();
  spent.flapping = false;
  return spent;
}

std::string to_json(const Spent& spent, base::Instant now, base::WallTime wall) {
  nlohmann::json out{{"failures", spent.failures}, {"exhausted", spent.exhausted}};
  if (spent.flapping) out["flapping"] = true;
  if (!spent.aborted.empty()) out["aborted"] = spent.aborted;
  if (!spent.transitions.empty()) {
    auto& transitions = out["transitions_ms"] = nlohmann::json::array();
    for (const base::Instant t : spent.transitions) transitions.push_back(wall_ms(t, now, wall));
  }
  auto& attempts = out["attempts_ms"] = nlohmann::json::array();
  for (const base::Instant t : spent.attempts) attempts.push_back(wall_ms(t, now, wall));
  if (spent.not_before) out["not_before_ms"] = wall_ms(*spent.not_before, now, wall);
  if (spent.recovered_at) out["recovered_at_ms"] = wall_ms(*spent.recovered_at, now, wall);
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

base::Result<Spent> parse_spent(const std::string& json, base::Instant now, base::WallTime wall) {
  try {
    const auto in = nlohmann::json::parse(json);
    Spent spent;
    spent.failures = in.at("failures").get<int>();
    spent.exhausted = in.at("exhausted").get<bool>();
    for (const auto& t : in.at("attempts_ms"))
      spent.attempts.push_back(std::min(now, instant(t.get<std::int64_t>(), now, wall)));
    spent.flapping = in.value("flapping", false);
    spent.aborted = in.value("aborted", "");
    if (in.contains("transitions_ms"))
      for (const auto& t : in["transitions_ms"])
        spent.transitions.push_back(std::min(now, instant(t.get<std::int64_t>(), now, wall)));
    if (in.contains("not_before_ms")) spent.not_before = instant(in["not_before_ms"].get<std::int64_t>(), now, wall);
    if (in.contains("recovered_at_ms"))
      spent.recovered_at = std::min(now, instant(in["recovered_at_ms"].get<std::int64_t>(), now, wall));
    return spent;
  } catch (const nlohmann::json::exception& e) {
    return base::fail(base::Kind::invalid, fmt::format("a budget record cannot be read: {}", e.what()));
  }
}

Spent all_used(const Budget& budget, base::Instant now) {
  Spent spent;
  spent.attempts.assign(static_cast<std::size_t>(std::max(0, budget.attempts)), now);
  spent.exhausted = true;
  return spent;
}

}  // namespace recover
