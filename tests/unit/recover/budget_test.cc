#include "recover/plan/budget.h"

#include <doctest/doctest.h>

using recover::BudgetUsage;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

const base::Instant kNow{std::chrono::hours{10}};
const base::WallTime kWall = base::wall_from_ms(1'700'000'000'000);

recover::Budget three_in_fifteen() { return {}; }

}  // namespace

TEST_CASE("the backoff doubles from 5s to 5m and is spread by a fifth") {
  struct Row {
    int failures;
    double chance;
    int ms;
  };
  const recover::Backoff backoff;
  for (const Row& row : {Row{0, 0.9, 0}, Row{1, 0.5, 5'000}, Row{2, 0.5, 10'000}, Row{3, 0.5, 20'000},
                         Row{7, 0.5, 300'000}, Row{500, 0.5, 300'000}, Row{1, 0.0, 4'000}, Row{1, 0.75, 5'500}}) {
    CAPTURE(row.failures);
    CAPTURE(row.chance);
    CHECK(recover::backoff_delay(backoff, row.failures, row.chance) == milliseconds{row.ms});
  }
}

TEST_CASE("attempts count within a sliding window") {
  const recover::Budget budget = three_in_fifteen();
  BudgetUsage usage;
  usage.attempts = {kNow - minutes{15}, kNow - minutes{14}, kNow - minutes{1}};
  CHECK(recover::attempts_left(budget, usage, kNow) == 1);
  CHECK_FALSE(recover::next_free(budget, usage, kNow).has_value());
  const BudgetUsage full = recover::with_attempt(usage, budget, kNow);
  CHECK(full.attempts.size() == 3);  // the one outside the window is forgotten
  CHECK(recover::attempts_left(budget, full, kNow) == 0);
  CHECK(recover::next_free(budget, full, kNow) == kNow + minutes{1});
  CHECK(recover::attempts_left(budget, full, kNow + minutes{1}) == 1);
}

TEST_CASE("only the failure of the last attempt latches exhaustion") {
  const recover::Budget budget = three_in_fifteen();
  BudgetUsage usage;
  for (int i = 1; i <= 3; ++i) {
    usage = recover::with_attempt(usage, budget, kNow + minutes{i});
    usage = recover::with_failure(usage, budget, kNow + minutes{i}, 0.5);
    CAPTURE(i);
    CHECK(usage.failures == i);
    CHECK(usage.exhausted == (i == 3));
  }
  CHECK(usage.not_before == kNow + minutes{3} + seconds{20});
}

TEST_CASE("the latch opens after reset_after of health and not before an attempt is free") {
  const recover::Budget budget = three_in_fifteen();
  BudgetUsage usage = recover::all_used(budget, kNow);
  CHECK(usage.exhausted);
  // Ten minutes of health would do, but the window is full until the fifteenth.
  CHECK(recover::reset_at(budget, usage, kNow) == kNow + minutes{15});
  CHECK(recover::reset_at(budget, usage, kNow + minutes{7}) == kNow + minutes{17});
  usage = recover::reset(usage);
  CHECK_FALSE(usage.exhausted);
  CHECK(usage.failures == 0);
  CHECK(usage.attempts.size() == 3);  // the window is not cleared
  CHECK_FALSE(recover::reset_at(budget, usage, kNow).has_value());
}

TEST_CASE("a budget survives a crash, in wall time") {
  BudgetUsage usage;
  usage.attempts = {kNow - minutes{5}, kNow - seconds{1}};
  usage.failures = 2;
  usage.not_before = kNow + seconds{9};
  usage.recovered_at = kNow - minutes{4};
  usage.exhausted = true;
  const std::string json = recover::to_json(usage, kNow, kWall);
  const base::Instant later{seconds{3}};  // another boot: the monotonic clock began anew
  const auto back = recover::parse_usage(json, later, kWall + seconds{2});
  REQUIRE(back.has_value());
  CHECK(back->attempts == std::vector{later - seconds{2} - minutes{5}, later - seconds{3}});
  CHECK(back->failures == 2);
  CHECK(back->not_before == later + seconds{7});
  CHECK(back->recovered_at == later - seconds{2} - minutes{4});
  CHECK(back->exhausted);
}

TEST_CASE("a wall clock that went back while the agent was down does not refill a budget") {
  BudgetUsage usage;
  usage.attempts = {kNow};
  const auto back = recover::parse_usage(recover::to_json(usage, kNow, kWall), kNow, kWall - std::chrono::hours{2});
  REQUIRE(back.has_value());
  CHECK(back->attempts == std::vector{kNow});
}

TEST_CASE("a damaged budget record is an error, and all_used keeps the guard shut") {
  CHECK_FALSE(recover::parse_usage("{", kNow, kWall).has_value());
  CHECK_FALSE(recover::parse_usage("{}", kNow, kWall).has_value());
  CHECK(recover::attempts_left(three_in_fifteen(), recover::all_used(three_in_fifteen(), kNow), kNow) == 0);
}
