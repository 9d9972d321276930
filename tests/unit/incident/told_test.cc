// What people hear after they were told of an incident.
#include "world.h"

TEST_CASE(
    "how a told incident stands is what was in vain last; what a plan says as it gives up comes with the end of its "
    "run") {
  World w;
  w.fail("order");
  w.run("order", model::RecoveryState::failed);
  CHECK(w.all().at(0).why == "its last recovery ended as failed");
  w.run("order", model::RecoveryState::acting, "r2", false);
  const int before = w.changes;
  w.incidents->on_demand("order", "order: attempt 2 of 2 failed and was the last one");
  w.loop.run_due();
  CHECK(w.changes == before);
  SUBCASE("its run ends") {
    w.run("order", model::RecoveryState::exhausted, "r2");
    CHECK(w.changes == before + 1);
  }
  SUBCASE("its run goes on") {
    w.loop.advance(milliseconds{500});
    CHECK(w.changes == before + 1);
  }
  CHECK(w.all().at(0).why == "order: attempt 2 of 2 failed and was the last one");
  CHECK(model::standing(w.all().at(0)) == "not mended: order: attempt 2 of 2 failed and was the last one");
}

TEST_CASE("a page that a plan makes as its last step comes with the end of its run") {
  World w;
  w.fail("order");
  w.run("order", model::RecoveryState::acting, "r1", false);
  w.incidents->on_demand("order", "order: recovery attempt 1 needs a person");
  w.loop.run_due();
  CHECK_FALSE(w.all().at(0).told);
  SUBCASE("its run ends") {
    const int before = w.changes;
    w.run("order", model::RecoveryState::failed, "r1");
    CHECK(w.changes == before + 1);
  }
  SUBCASE("its run goes on") { w.loop.advance(milliseconds{500}); }
  CHECK(w.all().at(0).told);
  CHECK(w.told == std::vector<std::string>{"order held", "order told"});
}

TEST_CASE("a fault that comes back while an alert keeps its incident open is news, if it was gone for a while") {
  World w;
  w.fail("order");
  w.alert("order", AlertState::firing, "RecoveryExhausted");
  w.run("order", model::RecoveryState::exhausted);
  w.mend("order");
  w.loop.advance(seconds{29});
  w.fail("order");
  CHECK(w.all().at(0).relapses == 0);
  w.mend("order");
  w.loop.advance(seconds{30});
  const int before = w.changes;
  w.fail("order");
  REQUIRE(w.all().size() == 1);
  CHECK(w.all().at(0).relapses == 1);
  CHECK(model::standing(w.all().at(0)) == "not mended: it is down again");
  CHECK(w.changes > before);
  World next(w.state.durable());
  CHECK(next.all().at(0).relapses == 1);
}

TEST_CASE("an approval that did not come in time is not asked for any more") {
  World w;
  w.fail("order");
  w.run("order", model::RecoveryState::blocked, "r1", false);
  w.incidents->on_demand("order", "order: recovery waits for a person, within 20s");
  w.loop.run_due();
  CHECK(w.all().at(0).why == "order: recovery waits for a person, within 20s");
  model::RecoveryReport over;
  over.id = "r1";
  over.service = "order";
  over.mode = model::RecoveryMode::ask;
  over.state = model::RecoveryState::aborted;
  over.reason = "no approval came within 20s";
  over.started = over.ended.emplace(w.loop.wall_now());
  w.incidents->on_report(over);
  w.loop.run_due();
  CHECK(w.all().at(0).why == "its last recovery ended as aborted (no approval came within 20s)");
}

TEST_CASE("runs and demands are counted, also those that there is no room for any more") {
  World w;
  w.fail("order");
  const std::size_t most = model::Incident::kNotes;
  for (std::size_t i = 0; i < most + 2; ++i) {
    w.run("order", model::RecoveryState::failed, fmt::format("r{}", i));
    w.incidents->on_demand("order", fmt::format("look {}", i));
  }
  w.loop.run_due();
  const model::Incident there = w.all().at(0);
  CHECK(there.recoveries.size() == model::Incident::kRecoveries);
  CHECK(there.finished_runs() == most + 2);
  CHECK(there.all_demands() == most + 2);
  World next(w.state.durable());
  CHECK(next.all().at(0).finished_runs() == most + 2);
  CHECK(next.all().at(0).all_demands() == most + 2);
}
