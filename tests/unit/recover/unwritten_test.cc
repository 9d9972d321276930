// Recovery while nothing can be written, and while nothing is known of earlier attempts: a little, never nothing, never
// without end.
#include "recover/plan/unwritten_runs.h"

#include <doctest/doctest.h>

#include "fakes/recovery_site.h"

using recover::GuardName;
using recover::UnwrittenRuns;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

struct Site : fakes::RecoverySite {
  std::unique_ptr<recover::PlanSpec> patient() {
    auto spec = plan();
    spec->budget = {3, minutes{15}, {base::Millis{1000}, 1, base::Millis{1000}, 0, minutes{10}}};
    spec->steps[0].verify->within = base::Millis{5000};
    return spec;
  }
  // A probe fails every second.
  void suffer(base::Duration d) {
    for (auto end = loop.now() + d; loop.now() < end; loop.advance(seconds{1}))
      dispatcher->on_run("order", "http", false);
  }
};

}  // namespace

TEST_CASE("with a full disk a service is recovered once an hour, and not in the agent's first minutes") {
  Site f;
  f.use(f.patient());
  f.state.failing = true;
  f.alert("ServiceDown");
  f.suffer(minutes{5} - seconds{2});
  CHECK(f.restart.started.empty());
  CHECK(f.status().reason == GuardName::state);
  f.suffer(minutes{20});
  CHECK(f.restart.started.size() == 1);
  f.suffer(minutes{60});
  CHECK(f.restart.started.size() == 2);
  CHECK(f.table(state::Table::intents).empty());
}

TEST_CASE("a run that goes on without the disk comes to its end, and is written down when the disk takes it") {
  Site f;
  f.use(f.patient());
  f.loop.advance(minutes{6});
  f.state.failing = true;
  f.alert("ServiceDown");
  f.loop.advance(seconds{1});
  REQUIRE(f.restart.started.size() == 1);
  f.healthy();
  f.loop.advance(seconds{1});
  REQUIRE_FALSE(f.dispatcher->reports().empty());
  CHECK(f.dispatcher->reports()[0].state == model::RecoveryState::recovered);
  CHECK(f.dispatcher->reports()[0].ended);
  CHECK(f.table(state::Table::recoveries).empty());
  f.state.failing = false;
  f.loop.advance(seconds{6});
  CHECK(f.table(state::Table::intents).empty());
  CHECK(f.table(state::Table::recoveries).size() == 1);
  CHECK(f.table(state::Table::budgets).contains("order"));
}

TEST_CASE("the end of a run whose intent was written is told with a full disk, and its intent goes later") {
  Site f;
  f.use(f.patient());
  f.alert("ServiceDown");
  f.loop.advance(seconds{1});
  REQUIRE(f.restart.started.size() == 1);
  CHECK(f.table(state::Table::intents).size() == 1);
  f.state.failing = true;
  f.healthy();
  f.loop.advance(seconds{1});
  CHECK(f.dispatcher->reports()[0].ended);
  CHECK(f.table(state::Table::intents).size() == 1);
  f.state.failing = false;
  f.loop.advance(seconds{6});
  CHECK(f.table(state::Table::intents).empty());
}

TEST_CASE("the ends of several runs without the disk are all written when the disk takes them") {
  Site f;
  f.use(f.patient());
  f.loop.advance(minutes{6});
  f.state.failing = true;
  const auto fails = [&] {
    f.service_view.health["order"] = model::Health::down;
    f.alert("ServiceDown");
    f.suffer(seconds{1});
  };
  for (std::size_t run = 1; run <= 2; ++run) {
    fails();
    REQUIRE(f.restart.started.size() == run);
    f.healthy();
    f.loop.advance(seconds{1});
    f.loop.advance(minutes{61});
  }
  CHECK(f.table(state::Table::recoveries).empty());
  SUBCASE("by the end of the wait") {}
  SUBCASE("with the intent of the next run") {
    f.state.held = true;
    f.state.failing = false;
    fails();
    f.state.held = false;
    f.state.sync();
    CHECK(f.table(state::Table::recoveries).size() >= 2);
    f.loop.run_due();
    CHECK(f.table(state::Table::intents).size() == 1);
    return;
  }
  f.state.failing = false;
  f.loop.advance(seconds{6});
  CHECK(f.table(state::Table::recoveries).size() == 2);
  CHECK(f.table(state::Table::intents).empty());
}

TEST_CASE("a disk that does not answer counts as full after ten seconds") {
  Site f;
  f.use(f.patient());
  f.loop.advance(minutes{6});
  f.state.held = true;
  f.alert("ServiceDown");
  f.loop.advance(seconds{9});
  CHECK(f.restart.started.empty());
  f.loop.advance(seconds{2});
  CHECK(f.restart.started.size() == 1);
}

TEST_CASE("which runs go on without the disk") {
  struct Row {
    std::string name;
    recover::UnwrittenRun run;
    base::Duration agent_runs_for;
    std::string refused;  // "": it goes on
  };
  const std::vector<Row> rows{
      {"an agent that has run for a while", {"order", "r9"}, minutes{5}, ""},
      {"one that has just started",
       {"order", "r9"},
       minutes{4},
       "without its disk the agent recovers nothing in its first 5m"},
      {"a person's run", {"order", "r9", true}, minutes{5}, "a person started it and is told so"},
      {"a reboot",
       {"order", "r9", false, true},
       minutes{5},
       "it may reboot the node, and the agent would not know of it then"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const fakes::FakeLoop loop;
    UnwrittenRuns runs(loop, loop.now() - row.agent_runs_for);
    const auto may = runs.let(row.run);
    CHECK((may ? "" : may.error().text) == row.refused);
  }
  fakes::FakeLoop loop;
  UnwrittenRuns runs(loop, loop.now() - minutes{5});
  CHECK(runs.let({"order", "r1"}).has_value());
  CHECK(runs.let({"order", "r1"}).has_value());  // its next step
  CHECK(runs.let({"order", "r2"}).error().text == "without its disk the agent recovers a service once an hour");
  CHECK(runs.let({"stock", "r3"}).has_value());
  CHECK(runs.let({"payment", "r4"}).error().text == "without its disk the agent makes 2 recoveries an hour on a node");
  loop.advance(hours{1});
  CHECK(runs.let({"payment", "r5"}).has_value());
}

TEST_CASE("an agent that starts with a used budget and an alert that waited says nothing before the service is down") {
  Site f;
  auto spec = f.patient();
  spec->budget.attempts = 1;
  f.use(std::move(spec));
  f.alert("ServiceDown");
  f.loop.advance(seconds{1});
  REQUIRE(f.restart.started.size() == 1);
  // Killed after the run was written down as recovered and before the end of its alert was.
  f.service_view.health["order"] = model::Health::up;
  f.dispatcher->on_run("order", "http", true);
  f.loop.run_due();
  REQUIRE(f.table(state::Table::recoveries).contains("waiting/order"));
  f.service_view.health["order"] = model::Health::unknown;
  f.start();
  auto again = f.patient();
  again->budget.attempts = 1;
  f.use(std::move(again));
  f.loop.advance(seconds{2});
  CHECK(f.pages.empty());
  f.service_view.health["order"] = model::Health::up;
  f.loop.advance(minutes{1});
  CHECK(f.pages.empty());
}

TEST_CASE(
    "when the records of before are lost one attempt is left, over other starts, until the budget's time is over") {
  Site f;
  f.limits = {1, 8};
  f.state.damaged.forgotten = true;
  f.start();
  f.use(f.patient());
  f.loop.run_due();
  CHECK(f.status().attempts_left == 1);
  CHECK(f.dispatcher->node_actions_left() == 2);
  f.state.damaged.forgotten = false;  // the next start finds what this one wrote
  f.loop.advance(minutes{5});
  f.start();
  f.use(f.patient());
  CHECK(f.status().attempts_left == 1);
  CHECK(f.dispatcher->node_actions_left() == 2);
  f.alert("ServiceDown");
  f.suffer(minutes{9});
  CHECK(f.restart.started.size() == 1);
  f.loop.advance(hours{1});
  f.start();
  f.use(f.patient());
  CHECK(f.dispatcher->node_actions_left() == 8);
}
