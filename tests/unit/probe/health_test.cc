#include "probe/health.h"

#include <doctest/doctest.h>

#include <string>

namespace {

using model::Health;
using model::Outcome;
using model::Reason;
using probe::Cause;

// One letter an outcome: + success, - timeout, g process gone, r refused, R refused on a run that an event asked for,
// o the agent was overloaded. Health after each as u(nknown), U(p), D(own).
std::string walk(const probe::Thresholds& thresholds, const std::string& outcomes, std::string& pending) {
  probe::HealthState state;
  std::string healths;
  for (const char c : outcomes) {
    const Outcome outcome = c == '+'   ? Outcome::success("ok")
                            : c == 'g' ? Outcome::failure(Reason::process_gone, "gone")
                            : c == 'o' ? Outcome::failure(Reason::agent_overloaded, "late")
                            : c == '-' ? Outcome::failure(Reason::read_timeout, "silent")
                                       : Outcome::failure(Reason::refused, "refused");
    const Health before = state.health;
    const bool changed = probe::judge(thresholds, outcome, c == 'R' ? Cause::event : Cause::grid, state);
    CHECK(changed == (before != state.health));
    healths += state.health == Health::unknown ? 'u' : state.health == Health::up ? 'U' : 'D';
    pending += probe::change_pending(state) ? '!' : '.';
  }
  return healths;
}

}  // namespace

TEST_CASE("outcomes turn into health by thresholds") {
  struct Row {
    const char* name;
    int failure, success;
    const char* outcomes;
    const char* want;
    const char* pending;
  };
  for (const Row& row : {
           Row{"the first success makes it up at once", 3, 2, "+", "U", "."},
           Row{"failures before any success count as usual", 3, 2, "---", "uuD", "!!."},
           Row{"a success between failures starts the count again", 3, 1, "+--+--+", "UUUUUUU", ".!!.!!."},
           Row{"down at the third failure in a row", 3, 1, "+---", "UUUD", ".!!."},
           Row{"up again only after two successes in a row", 1, 2, "+-+-++", "UDDDDU", "..!.!."},
           Row{"threshold one follows every outcome", 1, 1, "+-+-", "UDUD", "...."},
           Row{"a fatal reason skips the threshold", 3, 1, "+g", "UD", ".."},
           Row{"a fatal reason makes an unknown probe down, too", 3, 1, "g", "D", "."},
           Row{"refused counts as usual on the grid", 3, 1, "+rr", "UUU", ".!!"},
           Row{"refused right after an event is enough", 3, 1, "+R", "UD", ".."},
           Row{"an overloaded agent counts for nothing", 2, 1, "+-oo-o", "UUUUDD", ".!!!.."},
           Row{"an overloaded agent leaves unknown unknown", 1, 1, "ooo", "uuu", "..."},
           Row{"staying down is no pending change", 1, 1, "---", "DDD", "..."},
       }) {
    CAPTURE(row.name);
    std::string pending;
    CHECK(walk({row.failure, row.success, {Reason::process_gone}}, row.outcomes, pending) == row.want);
    CHECK(pending == row.pending);
  }
}
