#include "recover/plan/plan.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <initializer_list>
#include <sstream>

#include "fakes/scripted_action.h"

using model::Health;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

// Plays a script of inputs against a plan and writes down the effects of each.
//   fire, resolve, durable, full (the disk), done RESULT, run PROBE up|down, health up|down, wait DURATION,
//   answer (to a look, which is answered at once unless slow() was said), stop on|off, redis up|fails|down. A slot is
//   always free
class Player {
 public:
  explicit Player(recover::PlanSpec&& spec) : spec_(std::move(spec)), plan_(spec_, {}, random_) {
    spec_.budget.backoff.jitter = 0;
    now_.now = base::Instant{std::chrono::hours{10}};
    now_.wall = base::wall_from_ms(1'700'000'000'000);
    now_.agent_started = now_.now - minutes{10};
    now_.health = Health::down;
    now_.dependencies = {{"redis", Health::up}};
    alert_.labels = model::Labels{{"alertname", "ServiceDown"}, {"service", "order"}};
    alert_.state = model::AlertState::firing;
  }

  std::string play(const std::string& line) {
    std::istringstream in(line);
    std::string verb, a, b;
    in >> verb >> a >> b;
    if (verb == "fire") return show(plan_.firing(alert_, now_));
    if (verb == "resolve") return show(plan_.resolved(now_));
    if (verb == "durable") return show(plan_.durable({}, now_));
    if (verb == "full") return show(plan_.durable(base::fail(base::Kind::io, "no space"), now_));
    if (verb == "done") return show(plan_.action_done({a, "said"}, seconds{1}, now_));
    if (verb == "run") return show(plan_.probe_ran(a, b == "up", now_));
    if (verb == "pause") now_.paused = a == "on" ? std::optional(recover::Hold{"a file"}) : std::nullopt;
    if (verb == "pause") return show(plan_.wake(now_));
    if (verb == "health") now_.health = a == "up" ? Health::up : Health::down;
    if (verb == "health") return show(plan_.health(now_));
    if (verb == "answer") return show(plan_.looked(now_));
    if (verb == "stop")
      now_.stopped = a == "on" ? std::optional<std::string>("order.service was stopped") : std::nullopt;
    if (verb == "redis") now_.dependencies[0].health = a == "down" ? Health::down : Health::up;
    if (verb == "redis") now_.dependencies[0].latest = a == "up" ? Health::up : Health::down;
    if (verb == "stop" || verb == "redis") return "";
    if (verb == "wait") return wait(*base::parse_duration(a));
    return "no such input: " + line;
  }
  const recover::Plan& plan() const { return plan_; }
  recover::Plan& plan() { return plan_; }
  const recover::PlanInput& now() const { return now_; }

  void slow() { answers_ = false; }
  std::string show(const recover::Effects& effects) {
    using Kind = recover::Effect::Kind;
    std::string out;
    bool looks = false, asks = false;
    for (const recover::Effect& e : effects) {
      if ((e.kind == Kind::look || e.kind == Kind::look_at_unit) && answers_) {
        looks = true;
        continue;
      }
      if (e.kind == Kind::acquire_slot || e.kind == Kind::release_slot) {
        asks = e.kind == Kind::acquire_slot;
        continue;
      }
      if (!out.empty()) out += "; ";
      const recover::Run& run = plan_.run();
      switch (e.kind) {
        case Kind::commit_intent:
          out += fmt::format("intent {} {}", run.part == recover::Part::steps ? "step" : "finally", run.step);
          break;
        case Kind::commit_progress: out += "progress"; break;
        case Kind::commit_close: out += "close " + run.report.state; break;
        case Kind::commit_budget: out += "budget"; break;
        case Kind::acquire_slot:
        case Kind::release_slot: break;
        case Kind::start_action: out += "start " + plan_.current_step().text; break;
        case Kind::probe_now: out += "probe"; break;
        case Kind::look: out += "look"; break;
        case Kind::look_at_unit: out += "look at unit"; break;
        case Kind::report:
          out += fmt::format("report {} {}{}", e.report.attempt, e.report.state, e.report.ended ? ", ended" : "");
          break;
        case Kind::action_ended: out += "ended " + e.report.actions.back().result; break;
        case Kind::blocked: out += fmt::format("blocked {}", to_string(e.guard)); break;
        case Kind::exhausted: out += "exhausted"; break;
        case Kind::page: out += "page"; break;
      }
    }
    std::string more = looks ? show(plan_.looked(now_)) : "";
    if (asks) more = show(plan_.slot({recover::SlotAnswer::Kind::yes}, now_));
    return out + (out.empty() || more.empty() ? "" : "; ") + more;
  }

 private:
  // Wakes the plan whenever it asks for it.
  std::string wait(base::Millis d) {
    std::string out;
    const base::Instant end = now_.now + d;
    for (auto at = plan_.wake_at(); at && *at <= end; at = plan_.wake_at()) {
      move_to(std::max(*at, now_.now));
      const std::string effects = show(plan_.wake(now_));
      if (!effects.empty()) out += (out.empty() ? "" : "; ") + effects;
      if (at == plan_.wake_at() && effects.empty()) {
        move_to(end);
        return out + " (wakes for nothing)";
      }
    }
    move_to(end);
    return out;
  }
  void move_to(base::Instant t) {
    now_.wall += std::chrono::duration_cast<base::Millis>(t - now_.now);
    now_.now = t;
  }

  base::Random random_{1};
  bool answers_ = true;
  recover::PlanSpec spec_;
  recover::Plan plan_;
  recover::PlanInput now_;
  model::Alert alert_;
};

fakes::ActionScript script, telling{.heals = false};

// drain (continue) → restart, verified by two good runs of http and tcp → page; finally undrain.
recover::PlanSpec usual_plan() {
  recover::PlanSpec spec;
  spec.service = "order";
  spec.unit = "order.service";
  spec.mode = recover::Mode::enforce;
  spec.depends_on = {"redis"};
  spec.probes = {"http", "tcp"};
  spec.when = {{"alert", "ServiceDown"}};
  spec.steps.push_back(fakes::scripted_step("drain", telling));
  spec.steps.back().on_failure = recover::OnFailure::proceed;
  spec.steps.push_back(fakes::scripted_step("restart", script));
  spec.steps.back().verify = recover::Verify{2, base::Millis{30'000}};
  spec.steps.push_back(fakes::scripted_step("page", telling));
  spec.finally.push_back(fakes::scripted_step("undrain", telling));
  return spec;
}

struct Line {
  const char* input;
  const char* want;
};

void check(Player& player, std::initializer_list<Line> lines) {
  int number = 0;
  for (const Line& line : lines) {
    CAPTURE(++number);
    CAPTURE(line.input);
    CHECK(player.play(line.input) == line.want);
  }
}

}  // namespace

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
            {"resolve", ""},
            {"durable", "report 1 recovered, ended"}});
  CHECK(p.plan().state() == "idle");
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
  CHECK(p.plan().state() == "backoff");
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
  CHECK(p.plan().state() == "idle");
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
  CHECK(p.plan().state() == "recovered");
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
            {"done refused", "ended refused; close failed"},
            {"durable", "report 1 failed, ended; blocked backoff"},
            {"wait 5s", "probe"},
            {"run http down", "intent step 0"},
            {"durable", "start restart; report 2 acting"},
            {"done timeout", "ended timeout; exhausted; close exhausted"},
            {"durable", "report 2 exhausted, ended; blocked exhausted"},
            {"wait 1h", ""}});
  CHECK(p.plan().state() == "exhausted");
  check(p, {{"resolve", "budget"}, {"fire", "blocked exhausted"}, {"resolve", "budget"}, {"health up", ""}});
  CHECK(p.plan().state() == "exhausted");
  check(p, {{"wait 10m", "budget"}});
  CHECK(p.plan().state() == "idle");
  check(p, {{"health down", ""}, {"fire", "intent step 0"}});
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
            {"resolve", ""},
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
  run.outcome = "recovered";
  Player p(usual_plan());
  CHECK(p.show(p.plan().resume(run, p.now())) == "intent finally 0");
  check(p, {{"durable", "start undrain; report 1 acting"}});
  run.step = 7;
  Player q(usual_plan());
  CHECK(q.show(q.plan().resume(run, q.now())) == "close recovered");
  run.part = recover::Part::steps;
  run.outcome.clear();
  Player r(usual_plan());
  CHECK(r.show(r.plan().resume(run, r.now())) == "close aborted");
}

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
