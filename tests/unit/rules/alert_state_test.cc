#include "rules/alert_state.h"

#include <doctest/doctest.h>

#include <string>

namespace {

using base::Millis;

base::WallTime at(int seconds) { return base::wall_from_ms(1'700'000'000'000 + seconds * 1000LL); }

rules::FoundAlert one(const char* severity = "page") { return {{{"alertname", "A"}, {"severity", severity}}, {}, 1}; }

// One evaluation per character, a second apart: '1' the expression holds, '0' it does not. The answer has the state
// after each: p, f, . (nothing), r (resolved, remembered).
std::string play(const std::string& truth, int for_s, int keep_s, int step_s = 1) {
  rules::AlertState alerts;
  std::string out;
  int t = 0;
  for (const char c : truth) {
    std::vector<rules::FoundAlert> found;
    if (c == '1') found.push_back(one());
    alerts.evaluate(found, at(t), {Millis{for_s * 1000}, Millis{keep_s * 1000}});
    t += step_s;
    if (alerts.alerts().empty()) out += '.';
    else switch (alerts.alerts().begin()->second.state) {
        case model::AlertState::pending: out += 'p'; break;
        case model::AlertState::firing: out += 'f'; break;
        case model::AlertState::inactive: out += 'r'; break;
      }
  }
  return out;
}

}  // namespace

TEST_CASE("an alert goes from pending over firing to resolved as for and keep_firing_for say") {
  struct Row {
    const char* name;
    const char* truth;
    int for_s, keep_s;
    const char* want;
  };
  for (const Row& row : {
           Row{"without for it fires at once", "0110", 0, 0, ".ffr"},
           Row{"for is a span of time", "11111", 3, 0, "pppff"},
           Row{"a gap while pending starts anew", "11011111", 3, 0, "pp.pppff"},
           Row{"a gap while firing resolves", "1111011111", 3, 0, "pppfrpppff"},
           Row{"keep_firing_for bridges a gap", "1100110", 0, 3, "fffffff"},
           Row{"keep_firing_for ends after its time", "1100000", 0, 3, "fffffrr"},
           Row{"a find in between restarts keep_firing_for", "1001000", 0, 3, "fffffff"},
           Row{"keep_firing_for does not hold what is pending", "1100", 5, 3, "pp.."},
       }) {
    CAPTURE(row.name);
    CHECK(play(row.truth, row.for_s, row.keep_s) == row.want);
  }
}

TEST_CASE("a resolved alert is remembered for fifteen minutes") { CHECK(play("100000", 0, 0, 300) == "frrrr."); }

TEST_CASE("extra evaluations between those of the grid do not shorten for") {
  rules::AlertState alerts;
  const rules::AlertTiming timing{Millis{10'000}, Millis{0}};
  for (int ms = 0; ms < 10'000; ms += 7) {
    alerts.evaluate({one()}, at(0) + Millis{ms}, timing);
    REQUIRE(alerts.alerts().begin()->second.state == model::AlertState::pending);
  }
  alerts.evaluate({one()}, at(10), timing);
  CHECK(alerts.alerts().begin()->second.state == model::AlertState::firing);
  CHECK(alerts.alerts().begin()->second.active_at == at(0));
}

TEST_CASE("a changed label is another alert with a for of its own") {
  rules::AlertState alerts;
  const rules::AlertTiming timing{Millis{5'000}, Millis{0}};
  alerts.evaluate({one("warning")}, at(0), timing);
  alerts.evaluate({one("warning")}, at(5), timing);
  const auto changes = alerts.evaluate({one("page")}, at(6), timing);
  REQUIRE(changes.transitions.size() == 2);
  CHECK(changes.transitions[0].alert.labels.get("severity") == "page");
  CHECK(changes.transitions[0].alert.state == model::AlertState::pending);
  CHECK(changes.transitions[1].from == model::AlertState::firing);
  CHECK(changes.transitions[1].alert.resolved_at == at(6));
}

TEST_CASE("transitions tell what it was and what it is") {
  rules::AlertState alerts;
  const rules::AlertTiming timing{Millis{2'000}, Millis{0}};
  const auto pending = alerts.evaluate({one()}, at(0), timing);
  REQUIRE(pending.transitions.size() == 1);
  CHECK(pending.transitions[0].from == model::AlertState::inactive);
  CHECK(alerts.evaluate({one()}, at(1), timing).transitions.empty());
  const auto firing = alerts.evaluate({one()}, at(2), timing);
  REQUIRE(firing.transitions.size() == 1);
  CHECK(firing.transitions[0].from == model::AlertState::pending);
  CHECK(firing.transitions[0].alert.fired_at == at(2));
  CHECK(firing.transitions[0].alert.active_at == at(0));
  const auto resolved = alerts.evaluate({}, at(3), timing);
  REQUIRE(resolved.transitions.size() == 1);
  CHECK(resolved.transitions[0].alert.state == model::AlertState::inactive);
  CHECK(alerts.evaluate({}, at(4), timing).touched.empty());
}

TEST_CASE("a pending alert that is gone says so and is forgotten") {
  rules::AlertState alerts;
  const rules::AlertTiming timing{Millis{60'000}, Millis{0}};
  alerts.evaluate({one()}, at(0), timing);
  const auto changes = alerts.evaluate({}, at(1), timing);
  REQUIRE(changes.transitions.size() == 1);
  CHECK(changes.transitions[0].from == model::AlertState::pending);
  CHECK_FALSE(changes.transitions[0].alert.resolved_at.has_value());
  CHECK(changes.touched.size() == 1);
  CHECK(alerts.alerts().empty());
}

TEST_CASE("a held alert stays as it is, and value and annotations follow the expression") {
  rules::AlertState alerts;
  alerts.evaluate({one()}, at(0), {});
  const auto held = alerts.evaluate({}, at(1), {}, [](const model::Alert&) { return true; });
  CHECK(held.transitions.empty());
  CHECK(alerts.active() == 1);
  alerts.evaluate({{one().labels, {{"summary", "new"}}, 7}}, at(2), {});
  CHECK(alerts.alerts().begin()->second.value == 7);
  CHECK(alerts.alerts().begin()->second.annotations.get("summary") == "new");
  CHECK(alerts.alerts().begin()->second.fired_at == at(0));
}

TEST_CASE("when the clock is set the age of an alert stays") {
  rules::AlertState alerts;
  const rules::AlertTiming timing{Millis{10'000}, Millis{0}};
  alerts.evaluate({one()}, at(0), timing);
  alerts.shift(Millis{-3'600'000});
  alerts.evaluate({one()}, at(9 - 3600), timing);
  CHECK(alerts.alerts().begin()->second.state == model::AlertState::pending);
  alerts.evaluate({one()}, at(10 - 3600), timing);
  CHECK(alerts.alerts().begin()->second.state == model::AlertState::firing);
}

TEST_CASE("clear ends everything at once") {
  rules::AlertState alerts;
  alerts.evaluate({one("a"), one("b")}, at(0), {});
  const auto changes = alerts.clear(at(1));
  CHECK(changes.transitions.size() == 2);
  CHECK(changes.touched.size() == 2);
  CHECK(alerts.alerts().empty());
}
