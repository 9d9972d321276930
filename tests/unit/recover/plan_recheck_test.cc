// What a look before an action finds, and what the plan makes of it.
#include "plan_player.h"

using plans::check;
using plans::Player;
using plans::usual_plan;

TEST_CASE("what speaks against a restart is asked anew before a run begins, and again after a drain") {
  Player p(usual_plan());
  p.slow();
  check(p, {{"fire", "look"},
            {"wait 5s", ""},
            {"answer", "intent step 0"},
            {"answer", ""},  // nobody asked again
            {"durable", "start drain; report 1 acting"},
            {"done ok", "ended ok; look; report 1 acting"},
            {"answer", "intent step 1"},
            {"durable", "start restart; report 1 acting"}});
}

TEST_CASE("a look that nobody answers does not keep a plan from acting on what is known") {
  Player p(usual_plan());
  p.slow();
  check(p, {{"fire", "look"}, {"wait 9s", ""}, {"wait 1s", "intent step 0"}, {"answer", ""}});
  Player q(usual_plan());
  q.slow();
  check(q, {{"fire", "look"},
            {"answer", "intent step 0"},
            {"durable", "start drain; report 1 acting"},
            {"done ok", "ended ok; look; report 1 acting"},
            {"wait 10s", "intent step 1"}});
}

TEST_CASE("what a look finds before a run begins holds the whole run back, or all of it but the restart") {
  Player p(usual_plan());
  p.slow();
  check(p, {{"fire", "look"},
            {"stop on", ""},
            {"answer", "blocked stopped_by_operator; report 0 blocked"},
            {"wait 3s", ""},
            {"stop off", ""},
            {"wait 1s", "probe; look"},
            {"run http down", ""},
            {"redis fails", ""},
            {"answer", "blocked dependencies; intent step 0"},
            {"durable", "start drain; report 0 acting"},
            {"done ok", "ended ok; ended refused; intent step 2; report 0 acting"}});
  CHECK(p.plan().run().report.actions.at(1).text ==
        "dependencies: redis is up, but its last probe failed: a restart would not help");
}

TEST_CASE("what a look finds after the drain leaves the restart out, does the rest once, and waits") {
  for (const char* found : {"stop on", "redis down", "redis fails"}) {
    CAPTURE(found);
    Player p(usual_plan());
    p.slow();
    check(p, {{"fire", "look"},
              {"answer", "intent step 0"},
              {"durable", "start drain; report 1 acting"},
              {"done ok", "ended ok; look; report 1 acting"},
              {found, ""}});
    const std::string guard = found == std::string("stop on") ? "stopped_by_operator" : "dependencies";
    CHECK(p.play("answer") == "blocked " + guard + "; ended refused; intent step 2; report 1 acting");
    check(p, {{"durable", "start page; report 1 acting"},
              {"done ok", "ended ok; progress; probe; report 1 holding"},
              {"run http down", ""},
              // It is over: late, and after another look, the restart.
              {"stop off", ""},
              {"redis up", ""},
              {"run http down", "look"},
              {"redis fails", ""},
              {"answer", "blocked dependencies; progress; probe; report 2 holding"},
              {"redis up", ""},
              {"run http down", "look"},
              {"answer", "intent step 1"},
              {"durable", "start restart; report 2 acting"}});
    CHECK(recover::attempts_left(p.plan().spec().budget, p.plan().usage(), p.now().now) == 1);
  }
}

TEST_CASE("what comes in while the intent of the restart is written counts as well") {
  Player p(usual_plan());
  check(p, {{"fire", "intent step 0"},
            {"durable", "start drain; report 1 acting"},
            {"done ok", "ended ok; report 1 acting; intent step 1"},
            {"stop on", ""},
            {"durable", "blocked stopped_by_operator; ended refused; intent step 2; report 1 acting"}});
}

TEST_CASE("a service that has come back during the drain is not restarted, if its probes say so once more") {
  Player p(usual_plan());
  p.slow();
  check(p, {{"fire", "look"},
            {"answer", "intent step 0"},
            {"durable", "start drain; report 1 acting"},
            {"health up", ""},
            {"done ok", "ended ok; probe; look; report 1 acting"},
            {"answer", ""},
            {"run http up", ""},
            {"run tcp up", "intent finally 0"},
            {"durable", "start undrain; report 1 acting"},
            {"done ok", "ended ok; report 1 acting; close recovered"}});
}

TEST_CASE("an alert that goes on while the service was found well starts anew with a run that fails") {
  Player p(usual_plan());
  check(p, {{"pause on", ""},
            {"fire", "blocked paused; report 0 blocked"},
            {"pause off", "probe"},
            {"run http up", ""},
            {"run tcp up", "report 0 aborted, ended; budget"},
            // Its verdict is still down: two good runs are not enough for it, and no change of health will tell.
            {"run http up", ""},
            {"run http down", "probe"},
            {"run http down", "intent step 0"}});
}
