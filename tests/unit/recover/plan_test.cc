#include "plan_player.h"

using plans::check;
using plans::Line;
using plans::Player;
using plans::usual_plan;

TEST_CASE("a plan drains, restarts, verifies with every probe, undrains and is recovered") {
  Player p(usual_plan());
  check(p, {{"fire", "intent step 0"},
            {"durable", "start drain; report 1 acting"},
            {"done failed", "ended failed; report 1 acting; intent step 1"},
            {"durable", "start restart; report 1 acting"},
            {"done ok", "ended ok; probe; progress; report 1 verifying"},
            {"run http up", ""},
            {"run http up", ""},
            {"run tcp up", ""},
            {"run http up", ""},
            {"run tcp up", "intent finally 0; report 1 acting"},
            {"durable", "start undrain; report 1 acting"},
            {"done ok", "ended ok; report 1 acting; close recovered"},
            {"resolve", "budget"},
            {"durable", "report 1 recovered, ended"}});
  CHECK(p.plan().state() == model::PlanState::idle);
  CHECK(recover::attempts_left(p.plan().spec().budget, p.plan().usage(), p.now().now) == 2);
}

TEST_CASE("nothing starts before its intent is durable, and a full disk is asked again every second") {
  Player p(usual_plan());
  check(p, {{"fire", "intent step 0"},
            {"full", "blocked state"},
            {"wait 900ms", ""},
            {"wait 100ms", "intent step 0"},
            {"full", ""},
            {"wait 1s", "intent step 0"}});
  CHECK(p.plan().usage().attempts.empty());
  check(p, {{"durable", "start drain; report 1 acting"}});
  CHECK(p.plan().usage().attempts.size() == 1);
}

TEST_CASE("a verification that fails escalates, and the failed run waits for its backoff") {
  Player p(usual_plan());
  check(p, {{"fire", "intent step 0"},
            {"durable", "start drain; report 1 acting"},
            {"done ok", "ended ok; report 1 acting; intent step 1"},
            {"durable", "start restart; report 1 acting"},
            {"done ok", "ended ok; probe; progress; report 1 verifying"},
            {"wait 600ms", "probe; probe"},
            {"run http up", ""},
            {"run tcp down", ""},
            {"wait 29s", ""},
            {"run http down", ""},
            {"wait 400ms", "intent step 2; report 1 acting"},
            {"durable", "start page; report 1 acting"},
            {"done ok", "ended ok; intent finally 0; report 1 acting"},
            {"durable", "start undrain; report 1 acting"},
            {"done ok", "ended ok; report 1 acting; close failed"},
            {"durable", "report 1 failed, ended; blocked backoff"}});
  CHECK(p.plan().run().report.actions.empty());  // the next run's
  CHECK(p.plan().state() == model::PlanState::backoff);
  check(p, {{"wait 4999ms", ""},
            {"wait 1ms", "probe"},
            {"run tcp down", "intent step 0"},
            {"durable", "start drain; report 2 acting"}});
}

TEST_CASE("a plan that waited probes again and does nothing when the service is healthy") {
  Player p(usual_plan());
  check(p, {{"pause on", ""},
            {"fire", "blocked paused; report 0 blocked"},
            {"wait 10s", ""},
            {"pause off", "probe"},
            {"run http up", ""},
            {"run tcp up", "report 0 aborted, ended; budget"},
            {"wait 1h", ""},
            // The alert still fires when it goes down again: that is a new reason to act.
            {"health up", ""},
            {"health down", "probe"},
            {"run tcp down", "intent step 0"}});
}

TEST_CASE("probes that give no answer after a wait do not keep a plan from acting") {
  Player p(usual_plan());
  check(p, {{"pause on", ""},
            {"fire", "blocked paused; report 0 blocked"},
            {"pause off", "probe"},
            {"wait 9s", ""},
            {"wait 1s", "intent step 0"}});
}

TEST_CASE("an alert that resolves ends a wait but never a run") {
  Player p(usual_plan());
  check(p, {{"pause on", ""},
            {"fire", "blocked paused; report 0 blocked"},
            {"resolve", "report 0 aborted, ended; budget"},
            {"pause off", ""},
            {"fire", "intent step 0"},
            {"resolve", ""},
            {"durable", "start drain; report 1 acting"},
            {"done ok", "ended ok; report 1 acting; intent step 1"},
            {"durable", "start restart; report 1 acting"}});
}

TEST_CASE("a service that came back while the first intent was written is left alone and nothing is spent") {
  Player p(usual_plan());
  check(p,
        {{"fire", "intent step 0"}, {"resolve", ""}, {"health up", ""}, {"durable", "close aborted"}, {"durable", ""}});
  CHECK(p.plan().usage().attempts.empty());
  CHECK(p.plan().state() == model::PlanState::idle);
}

TEST_CASE("after a recovery the same alert acts again only after the cooldown") {
  recover::PlanSpec spec = usual_plan();
  spec.steps.erase(spec.steps.begin());
  spec.finally.clear();
  Player p(std::move(spec));
  check(p, {{"fire", "intent step 0"},
            {"durable", "start restart; report 1 acting"},
            {"done ok", "ended ok; probe; progress; report 1 verifying"},
            {"run http up", ""},
            {"run tcp up", ""},
            {"run http up", ""},
            {"run tcp up", "close recovered"},
            {"durable", "report 1 recovered, ended"}});
  CHECK(p.plan().state() == model::PlanState::recovered);
  check(p, {{"wait 119s", ""}, {"wait 1s", "probe"}, {"run http down", "intent step 0"}});
}

TEST_CASE("the last attempt that fails is exhausted: said once, latched, open again after health") {
  recover::PlanSpec spec = usual_plan();
  spec.steps.erase(spec.steps.begin());
  spec.steps.pop_back();
  spec.finally.clear();
  spec.budget.attempts = 2;
  Player p(std::move(spec));
  check(p, {{"fire", "intent step 0"},
            {"durable", "start restart; report 1 acting"},
            {"done failed", "ended failed; close failed"},
            {"durable", "report 1 failed, ended; blocked backoff"},
            {"wait 5s", "probe"},
            {"run http down", "intent step 0"},
            {"durable", "start restart; report 2 acting"},
            {"done timeout", "ended timeout; exhausted; close exhausted"},
            {"durable", "report 2 exhausted, ended; blocked exhausted"},
            {"wait 1h", ""}});
  CHECK(p.plan().state() == model::PlanState::exhausted);
  check(p, {{"resolve", "budget"}, {"fire", "blocked exhausted"}, {"resolve", "budget"}, {"health up", ""}});
  CHECK(p.plan().state() == model::PlanState::exhausted);
  check(p, {{"wait 10m", "budget"}});
  CHECK(p.plan().state() == model::PlanState::idle);
  check(p, {{"health down", ""}, {"fire", "intent step 0"}});
}

TEST_CASE("an alert that resolves while the end of its run is written waits for nothing after a crash") {
  recover::PlanSpec spec = usual_plan();
  spec.steps.erase(spec.steps.begin());
  spec.finally.clear();
  Player p(std::move(spec));
  check(p, {{"fire", "intent step 0"},
            {"durable", "start restart; report 1 acting"},
            {"done ok", "ended ok; probe; progress; report 1 verifying"},
            {"run http up", ""},
            {"run tcp up", ""},
            {"run http up", ""},
            {"run tcp up", "close recovered"},
            {"resolve", "budget"},
            {"durable", "report 1 recovered, ended"}});
}

TEST_CASE("an alert that resolves after the end of its run was written waits for nothing after a crash") {
  recover::PlanSpec spec = usual_plan();
  spec.steps.erase(spec.steps.begin());
  spec.finally.clear();
  Player p(std::move(spec));
  check(p, {{"fire", "intent step 0"},
            {"durable", "start restart; report 1 acting"},
            {"done ok", "ended ok; probe; progress; report 1 verifying"},
            {"run http up", ""},
            {"run tcp up", ""},
            {"run http up", ""},
            {"run tcp up", "close recovered"},
            {"durable", "report 1 recovered, ended"},
            {"resolve", "budget"},
            {"resolve", ""}});
}

TEST_CASE("a step that is refused spends no attempt, and is tried again after the backoff") {
  recover::PlanSpec spec = usual_plan();
  spec.steps.erase(spec.steps.begin());
  spec.steps.pop_back();
  spec.finally.clear();
  spec.budget.attempts = 1;
  Player p(std::move(spec));
  check(p, {{"fire", "intent step 0"},
            {"durable", "start restart; report 1 acting"},
            {"done refused", "ended refused; close failed"},
            {"durable", "report 1 failed, ended; blocked backoff"}});
  CHECK(p.plan().usage().attempts.empty());
  CHECK_FALSE(p.plan().usage().exhausted);
  check(p, {{"wait 5s", "probe"},
            {"run http down", "intent step 0"},
            {"durable", "start restart; report 1 acting"},
            {"done failed", "ended failed; exhausted; close exhausted"}});
}

TEST_CASE("a service that dies again after each recovery exhausts its budget, too") {
  recover::PlanSpec spec = usual_plan();
  spec.steps.erase(spec.steps.begin());
  spec.finally.clear();
  spec.budget.attempts = 1;
  Player p(std::move(spec));
  check(p, {{"fire", "intent step 0"},
            {"durable", "start restart; report 1 acting"},
            {"done ok", "ended ok; probe; progress; report 1 verifying"},
            {"run http up", ""},
            {"run tcp up", ""},
            {"run http up", ""},
            {"run tcp up", "close recovered"},
            {"resolve", "budget"},
            {"durable", "report 1 recovered, ended"},
            {"wait 5m", ""},
            {"fire", "exhausted; budget; blocked exhausted; report 0 exhausted, ended"},
            {"resolve", "budget"},
            {"fire", "blocked exhausted"}});
}

TEST_CASE("stop gives up at once, and finally steps run all the same") {
  recover::PlanSpec spec = usual_plan();
  spec.steps[1].on_failure = recover::OnFailure::stop;
  Player p(std::move(spec));
  check(p, {{"fire", "intent step 0"},
            {"durable", "start drain; report 1 acting"},
            {"done ok", "ended ok; report 1 acting; intent step 1"},
            {"durable", "start restart; report 1 acting"},
            {"done failed", "ended failed; intent finally 0; report 1 acting"},
            {"durable", "start undrain; report 1 acting"},
            {"done failed", "ended failed; report 1 acting; close failed"}});
}

TEST_CASE("a plan whose last action is not verified asks the probes before it says recovered") {
  recover::PlanSpec spec = usual_plan();
  spec.steps.erase(spec.steps.begin());
  spec.steps.pop_back();
  spec.steps[0].verify.reset();
  spec.finally.clear();
  Player p(std::move(spec));
  check(p, {{"fire", "intent step 0"},
            {"durable", "start restart; report 1 acting"},
            {"done ok", "ended ok; probe; progress; report 1 verifying"},
            {"run http up", ""},
            {"run tcp up", "close recovered"}});
}

TEST_CASE("an alert about a service whose probes are fine acts, and waits do not take that as healed") {
  Player p(usual_plan());
  check(p, {{"health up", ""},
            {"pause on", ""},
            {"fire", "blocked paused; report 0 blocked"},
            {"pause off", "probe"},
            {"run http up", "intent step 0"}});
}

TEST_CASE("what a crash left goes on by probing: a step that may have run is not repeated") {
  struct Row {
    const char* name;
    std::size_t step;
    recover::Part part;
    bool done;
    std::vector<Line> lines;
  };
  const Row rows[] = {
      {"in the restart, healthy by now",
       1,
       recover::Part::steps,
       false,
       {{"run http up", ""},
        {"run tcp up", ""},
        {"run http up", ""},
        {"run tcp up", "intent finally 0; report 1 acting"}}},
      {"in the restart, still down",
       1,
       recover::Part::steps,
       false,
       {{"run http down", ""},
        {"wait 250ms", "probe"},
        {"run http up", ""},
        {"wait 30s", "intent step 2; report 1 acting"}}},
      {"while verifying", 1, recover::Part::steps, true, {{"run http up", ""}}},
      {"in the last step, still down",
       2,
       recover::Part::steps,
       false,
       {{"run http up", ""}, {"wait 30s", "intent finally 0; report 1 acting"}}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Player p(usual_plan());
    recover::Run run;
    run.report.service = "order";
    run.report.attempt = 1;
    run.step = row.step;
    run.part = row.part;
    run.step_done = row.done;
    run.was_down = true;
    CHECK(p.show(p.plan().resume(run, p.now())) == "probe; report 1 verifying");
    CHECK(p.plan().run().report.actions.size() == (row.done ? 0 : 1));
    for (const Line& line : row.lines) {
      CAPTURE(line.input);
      CHECK(p.play(line.input) == line.want);
    }
  }
}

TEST_CASE("a crash in a finally step runs that step again, and one of a plan that was shortened is closed") {
  recover::Run run;
  run.report.attempt = 1;
  run.part = recover::Part::finally;
  run.outcome = model::RecoveryState::recovered;
  Player p(usual_plan());
  CHECK(p.show(p.plan().resume(run, p.now())) == "intent finally 0");
  check(p, {{"durable", "start undrain; report 1 acting"}});
  run.step = 7;
  Player q(usual_plan());
  CHECK(q.show(q.plan().resume(run, q.now())) == "close recovered");
  run.part = recover::Part::steps;
  run.outcome = model::RecoveryState::none;
  Player r(usual_plan());
  CHECK(r.show(r.plan().resume(run, r.now())) == "close aborted");
}
