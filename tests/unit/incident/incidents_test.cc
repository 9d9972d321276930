#include "world.h"

TEST_CASE("a fault that is healed is one incident that nobody was told of") {
  World w;
  w.fail("order");
  w.loop.advance(seconds{2});
  w.run("order", model::RecoveryState::recovered);
  w.mend("order");
  CHECK(w.told == std::vector<std::string>{"order held"});
  w.loop.advance(seconds{29});
  CHECK(w.ended.empty());
  w.loop.advance(seconds{1});
  CHECK(w.ended == std::vector<std::string>{"order healed 2s"});
  CHECK(w.told == std::vector<std::string>{"order held", "order healed", "order announced"});
  REQUIRE(w.all().size() == 1);
  CHECK(w.all().front().cause.reason == "refused");
  CHECK(w.loop.timers() == 0);  // nothing is open: nothing wakes the loop
}

TEST_CASE("a relapse within the settling time is the same incident, with the same deadline") {
  World w;
  w.fail("order");
  w.loop.advance(seconds{90});
  w.run("order", model::RecoveryState::recovered);
  w.mend("order");
  w.loop.advance(seconds{20});
  w.fail("order");
  CHECK(w.all().size() == 1);
  w.loop.advance(milliseconds{9'999});
  CHECK(w.told == std::vector<std::string>{"order held"});
  w.loop.advance(milliseconds{1});
  CHECK(w.told == std::vector<std::string>{"order held", "order told"});
  CHECK(w.all().front().why == "it is not mended after 2m");
}

TEST_CASE("a fault that comes back later is another incident") {
  World w;
  w.fail("order");
  w.mend("order");
  w.loop.advance(seconds{31});
  w.fail("order");
  CHECK(w.all().size() == 2);
}

TEST_CASE("what ends without a recovery of ours has ended by itself, or by a person") {
  World w;
  w.fail("order");
  w.mend("order");
  w.loop.advance(seconds{30});
  w.facts["redis"].maintenance = true;
  w.fail("redis");
  w.mend("redis");
  w.loop.advance(seconds{30});
  CHECK(w.ended == std::vector<std::string>{"order itself 0s", "redis person 0s"});
}

TEST_CASE("people hear of it in the turn in which the first run was in vain") {
  World w;
  w.fail("order");
  w.run("order", model::RecoveryState::failed);
  CHECK(w.told == std::vector<std::string>{"order held", "order told"});
  w.run("order", model::RecoveryState::recovered, "r2");
  w.mend("order");
  w.loop.advance(seconds{30});
  CHECK(w.told.back() == "order announced");
  CHECK(w.ended == std::vector<std::string>{"order healed 0s"});
}

TEST_CASE("a fault of a whole group is told by one agent, and is its own again when the panic is over") {
  World world;
  world.fail("order");
  CHECK(world.all().at(0).hold_until);
  world.facts["order"].answer.group = incident::GroupPanic{"3 of 4 members of order are down", "order on node2", false};
  world.loop.advance(seconds{300});
  CHECK_FALSE(world.all().at(0).told);
  CHECK(model::standing(world.all().at(0)) == "3 of 4 members of order are down; order on node2 tells people, for all");
  SUBCASE("it is still down then, after its time") {
    world.facts["order"].answer.group.reset();
    world.loop.advance(seconds{2});
    CHECK(world.all().at(0).told);
    CHECK(world.all().at(0).why == "it is not mended after 2m");
  }
  SUBCASE("that agent is gone, and this one takes over") {
    world.facts["order"].answer.group->tells = true;
    world.loop.advance(seconds{2});
    CHECK(world.all().at(0).told);
  }
}

TEST_CASE("while a dependency is down its dependents' alerts stand in its incident") {
  World w;
  w.fail("redis");
  w.fail("order");
  w.alert("gateway", AlertState::firing, "SlowAnswers");  // over order, which has no incident of its own
  REQUIRE(w.all().size() == 1);
  CHECK(w.all().front().dependents == std::vector<std::string>{"order", "gateway"});
  CHECK(w.all().front().alerts.size() == 3);
  w.mend("redis");
  w.mend("order");
  w.alert("gateway", AlertState::inactive, "SlowAnswers");
  w.loop.advance(seconds{30});
  CHECK(w.ended == std::vector<std::string>{"redis itself 0s"});
  CHECK(w.told == std::vector<std::string>{"redis held", "redis itself", "redis announced"});
}

TEST_CASE("a dependent that was seen first joins the incident of what it depends on") {
  World w;
  w.fail("order");
  w.fail("redis");
  REQUIRE(w.all().size() == 1);
  CHECK(w.all().front().service == "redis");
  CHECK(w.all().front().dependents == std::vector<std::string>{"order"});
  CHECK(w.state.durable().at(state::Table::incidents).size() == 1);
}

TEST_CASE("a dependent that stays down when its dependency is well has a fault of its own") {
  World w;
  w.fail("redis");
  w.fail("order");
  w.facts["order"].answer.mode.reset();
  w.mend("redis");
  w.loop.advance(seconds{30});
  REQUIRE(w.all().size() == 2);
  CHECK(w.told.back() == "order told");
  CHECK(w.all().front().cause.reason == "refused");
}

TEST_CASE("an agent that restarts goes on with the same incident and the same deadline") {
  World w;
  w.fail("order");
  const std::string id = w.all().front().id;
  w.loop.advance(seconds{60});
  w.incidents.reset();
  w.loop.advance(seconds{50});  // nobody is there
  w.facts["order"].health = Health::unknown;
  w.start(2);
  REQUIRE(w.all().size() == 1);
  CHECK(w.all().front().id == id);
  w.loop.advance(milliseconds{9'999});
  CHECK_FALSE(w.all().front().told);
  w.loop.advance(milliseconds{1});
  CHECK(w.all().front().told);
}

TEST_CASE("a run whose end the incident could not write down ends as recovery has written it") {
  for (const bool written : {true, false}) {
    CAPTURE(written);
    World w;
    w.fail("order");
    w.run("order", model::RecoveryState::verifying, "r1", false);
    w.incidents.reset();
    if (written) {
      model::RecoveryReport report;
      report.id = "r1";
      report.service = "order";
      report.mode = model::RecoveryMode::enforce;
      report.state = model::RecoveryState::recovered;
      report.started = report.ended.emplace(w.loop.wall_now());
      w.runs.push_back(report);
    }
    w.facts["order"].health = Health::unknown;
    w.start(2);
    REQUIRE(w.all().front().recoveries.size() == 1);
    CHECK(w.all().front().recoveries.front().state ==
          (written ? model::RecoveryState::recovered : model::RecoveryState::aborted));
    CHECK(w.all().front().told.has_value() == !written);
  }
}

TEST_CASE("an end that was durable and not told yet is told by the next agent, once") {
  World w;
  w.fail("order");
  w.mend("order");
  w.loop.advance(seconds{30});
  auto left = w.state.durable();
  for (auto& [id, record] : left[state::Table::incidents]) {  // as it lies there between the two commits
    const std::string said = "\"announced\":true";
    REQUIRE(record.find(said) != std::string::npos);
    record.replace(record.find(said), said.size(), "\"announced\":false");
  }
  World next(left);
  CHECK(next.told == std::vector<std::string>{"order itself", "order announced"});
  next.told.clear();
  next.start(4);
  CHECK(next.told == std::vector<std::string>{"order announced"});  // it is not told again
  CHECK(next.ended.empty());
}

TEST_CASE("a clock that is set moves no deadline") {
  for (const auto step : {base::Millis{3'600'000}, base::Millis{-3'600'000}}) {
    World w;
    w.fail("order");
    w.loop.advance(seconds{10});
    w.loop.jump_wall(step);
    w.loop.advance(seconds{109});
    CHECK_FALSE(w.all().front().told);
    w.loop.advance(seconds{1});
    CHECK(w.all().front().told);
  }
}

TEST_CASE("no more than the newest incidents and the newest of their parts are kept") {
  World w;
  for (int i = 0; i < 210; ++i) {
    w.fail("order");
    w.mend("order");
    w.loop.advance(seconds{31});
  }
  CHECK(w.all().size() == 200);
  CHECK(w.state.durable().at(state::Table::incidents).size() == 200);
  w.fail("order");
  for (int i = 0; i < 300; ++i) {
    w.alert("order", AlertState::firing, "Other" + std::to_string(i));
    w.alert("order", AlertState::inactive, "Other" + std::to_string(i));
    w.run("order", model::RecoveryState::failed, "r" + std::to_string(i));
  }
  const model::Incident open = w.all().front();
  CHECK(open.alerts.size() <= model::Incident::kResolvedAlerts + 1);
  CHECK(open.recoveries.size() == model::Incident::kRecoveries);
  CHECK(open.notes.size() <= model::Incident::kNotes);
}

TEST_CASE("incidents that ended are shared with snapshots, which keep what they were") {
  World w;
  w.fail("order");
  w.mend("order");
  w.loop.advance(seconds{31});
  const auto held = w.incidents->newest_first(), again = w.incidents->newest_first();
  REQUIRE(held.size() == 1);
  REQUIRE_FALSE(held.front()->is_open());
  CHECK(held.front() == again.front());
  const std::string id = held.front()->id;
  w.incidents->on_message(id, {"msg_9", "ops", "resolved", "waiting", w.loop.wall_now()});
  w.incidents->on_fate("msg_9", "sent");
  w.loop.run_due();
  CHECK(held.front()->messages.empty());
  const auto now = w.all();
  REQUIRE(now.front().messages.size() == 1);
  CHECK(now.front().messages.front().fate == "sent");
  CHECK(w.state.durable().at(state::Table::incidents).at(id).find("msg_9") != std::string::npos);
}

TEST_CASE("a service that left the configuration leaves no open incident behind") {
  World w;
  w.fail("order");
  w.incidents.reset();
  w.facts["order"] = {};
  w.known.clear();
  w.start(2);
  w.loop.advance(seconds{30});
  CHECK(w.ended == std::vector<std::string>{"order gone 0s"});
}
