#include "probe/health.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {

using model::Health;
using model::Outcome;
using model::Reason;
using probe::Cause;
using probe::Starting;

// One letter an outcome: + success, - timeout, g process gone, r refused, R refused on a run that an event asked for,
// o the agent was overloaded. Health after each as u(nknown), U(p), D(own).
// Up to the | the service is starting.
std::string walk(const probe::Thresholds& thresholds, const std::string& outcomes, std::string& pending) {
  probe::HealthState state;
  Starting starting = outcomes.find('|') == std::string::npos ? Starting::no : Starting::yes;
  std::string healths;
  for (const char c : outcomes) {
    if (c == '|') {
      starting = Starting::no;
      continue;
    }
    const Outcome outcome = c == '+'   ? Outcome::success("ok")
                            : c == 'g' ? Outcome::failure(Reason::process_gone, "gone")
                            : c == 'o' ? Outcome::failure(Reason::agent_overloaded, "late")
                            : c == '-' ? Outcome::failure(Reason::read_timeout, "silent")
                                       : Outcome::failure(Reason::refused, "refused");
    const Health before = state.health;
    const bool changed = probe::judge(thresholds, outcome, c == 'R' ? Cause::event : Cause::grid, starting, state);
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
           Row{"failures of a service that starts count for nothing", 2, 1, "----|--", "uuuuuD", "....!."},
           Row{"a process that is gone while it starts is down", 3, 1, "-g|", "uD", ".."},
           Row{"a refused connection of a service that starts counts for nothing", 3, 1, "+RR|R", "UUUD", "...."},
           Row{"staying down is no pending change", 1, 1, "---", "DDD", "..."},
       }) {
    CAPTURE(row.name);
    std::string pending;
    CHECK(walk({row.failure, row.success, {Reason::process_gone}}, row.outcomes, pending) == row.want);
    CHECK(pending == row.pending);
  }
}

TEST_CASE("failures are counted among the last runs where a window is set") {
  struct Row {
    const char* name;
    int failure, window, success;
    const char* outcomes;
    const char* want;
  };
  for (const Row& row : {
           Row{"three of five, not in a row", 3, 5, 1, "+-+--", "UUUUD"},
           Row{"the first failure has left the window", 3, 5, 1, "+-++++--", "UUUUUUUU"},
           Row{"after a recovery the count starts anew", 2, 5, 2, "+--++-+-", "UUDDUUUD"},
           Row{"a window as long as the threshold counts in a row", 3, 3, 1, "+--+---", "UUUUUUD"},
           Row{"the longest window", 2, 64, 1, "+-+++++++++++++-", "UUUUUUUUUUUUUUUD"},
           Row{"an overloaded agent takes no place in the window", 3, 3, 1, "+-o-o-", "UUUUUD"},
       }) {
    CAPTURE(row.name);
    std::string pending;
    CHECK(walk({row.failure, row.success, {}, row.window}, row.outcomes, pending) == row.want);
  }
}

TEST_CASE("a service's health is composed of its probes'") {
  struct Row {
    const char* name;
    std::size_t needed;
    const char* probes;
    char want;
  };
  for (const Row& row : {
           Row{"without a probe nothing is known", 0, "", 'u'},
           Row{"all are up", 0, "UUU", 'U'},
           Row{"one of all is down", 0, "UuD", 'D'},
           Row{"one of all is unknown", 0, "UuU", 'u'},
           Row{"any is up", 1, "DUu", 'U'},
           Row{"any may still be up", 1, "Duu", 'u'},
           Row{"not any is up", 1, "DD", 'D'},
           Row{"two of three are up", 2, "UDU", 'U'},
           Row{"two of three may still be up", 2, "UDu", 'u'},
           Row{"two of three cannot be up", 2, "UDD", 'D'},
       }) {
    CAPTURE(row.name);
    std::vector<Health> healths;
    for (const char* c = row.probes; *c != '\0'; ++c)
      healths.push_back(*c == 'U' ? Health::up : *c == 'D' ? Health::down : Health::unknown);
    CHECK(probe::compose(healths, row.needed) == (row.want == 'U'   ? Health::up
                                                  : row.want == 'D' ? Health::down
                                                                    : Health::unknown));
  }
}
