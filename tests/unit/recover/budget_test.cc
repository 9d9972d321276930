#include "recover/plan/budget.h"

#include <doctest/doctest.h>

using recover::Spent;
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
  Spent spent;
  spent.attempts = {kNow - minutes{15}, kNow - minutes{14}, kNow - minutes{1}};
  CHECK(recover::attempts_left(budget, spent, kNow) == 1);
  CHECK_FALSE(recover::next_free(budget, spent, kNow).has_value());
  const Spent full = recover::with_attempt(spent, budget, kNow);
  CHECK(full.attempts.size() == 3);  // the one outside the window is forgotten
  CHECK(recover::attempts_left(budget, full, kNow) == 0);
  CHECK(recover::next_free(budget, full, kNow) == kNow + minutes{1});
  CHECK(recover::attempts_left(budget, full, kNow + minutes{1}) == 1);
}

TEST_CASE("only the failure of the last attempt latches exhaustion") {
  const recover::Budget budget = three_in_fifteen();
  Spent spent;
  for (int i = 1; i <= 3; ++i) {
    spent = recover::with_attempt(spent, budget, kNow + minutes{i});
    spent = recover::with_failure(spent, budget, kNow + minutes{i}, 0.5);
    CAPTURE(i);
    CHECK(spent.failures == i);
    CHECK(spent.exhausted == (i == 3));
  }
  CHECK(spent.not_before == kNow + minutes{3} + seconds{20});
}

TEST_CASE("the latch opens after reset_after of health and not before an attempt is free") {
  const recover::Budget budget = three_in_fifteen();
  Spent spent = recover::all_used(budget, kNow);
  CHECK(spent.exhausted);
  // Ten minutes of health would do, but the window is full until the fifteenth.
  CHECK(recover::reset_at(budget, spent, kNow) == kNow + minutes{15});
  CHECK(recover::reset_at(budget, spent, kNow + minutes{7}) == kNow + minutes{17});
  spent = recover::reset(spent);
  CHECK_FALSE(spent.exhausted);
  CHECK(spent.failures == 0);
  CHECK(spent.attempts.size() == 3);  // the window is not cleared
  CHECK_FALSE(recover::reset_at(budget, spent, kNow).has_value());
}

TEST_CASE("a budget survives a crash, in wall time") {
  Spent spent;
  spent.attempts = {kNow - minutes{5}, kNow - seconds{1}};
  spent.failures = 2;
  spent.not_before = kNow + seconds{9};
  spent.recovered_at = kNow - minutes{4};
  spent.exhausted = true;
  const std::string json = recover::to_json(spent, kNow, kWall);
  const base::Instant later{seconds{3}};  // another boot: the monotonic clock began anew
  const auto back = recover::parse_spent(json, later, kWall + seconds{2});
  REQUIRE(back.has_value());
  CHECK(back->attempts == std::vector{later - seconds{2} - minutes{5}, later - seconds{3}});
  CHECK(back->failures == 2);
  CHECK(back->not_before == later + seconds{7});
  CHECK(back->recovered_at == later - seconds{2} - minutes{4});
  CHECK(back->exhausted);
}

TEST_CASE("a wall clock that went back while the agent was down does not refill a budget") {
  Spent spent;
  spent.attempts = {kNow};
  const auto back = recover::parse_spent(recover::to_json(spent, kNow, kWall), kNow, kWall - std::chrono::hours{2});
  REQUIRE(back.has_value());
  CHECK(back->attempts == std::vector{kNow});
}

TEST_CASE("a damaged budget record is an error, and all_used keeps the gate shut") {
  CHECK_FALSE(recover::parse_spent("{", kNow, kWall).has_value());
  CHECK_FALSE(recover::parse_spent("{}", kNow, kWall).has_value());
  CHECK(recover::attempts_left(three_in_fifteen(), recover::all_used(three_in_fifteen(), kNow), kNow) == 0);
}
