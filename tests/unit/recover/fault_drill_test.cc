// What a rehearsed fault comes to, row by row; then the drills of a node with a state that outlives its agent.
#include "recover/drill/fault_drill.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>
#include <vector>

#include "fakes/fake_slots.h"
#include "fakes/fake_state.h"
#include "fakes/probe_world.h"
#include "recover/drill/drill_spec.h"
#include "recover/drill/fault_drills.h"

namespace {

using namespace std::chrono_literals;
using model::ActionStatus;
using model::RecoveryMode;
using model::RecoveryState;
using recover::Fault;
using recover::FaultDrill;
using recover::FaultResult;
using recover::Stage;

constexpr base::WallTime kWall{1'700'000'000s};

std::string text_of(const FaultDrill::Effects& effects) {
  std::string out;
  constexpr std::array kNames{"commit", "inject", "tell", "undo", "forget", "close"};
  for (const FaultDrill::Effect each : effects)
    out += (out.empty() ? "" : " ") + std::string(kNames.at(static_cast<std::size_t>(each)));
  return out;
}

model::RecoveryReport run_of(RecoveryMode mode, RecoveryState state, bool is_over = true) {
  model::RecoveryReport run;
  run.service = "order";
  run.mode = mode;
  run.state = state;
  run.started = kWall + 2s;
  if (is_over) run.ended = kWall + 9s;
  return run;
}

model::ActionReport action_of(const std::string& name, base::Millis at, base::Millis took, bool heals,
                              ActionStatus result = ActionStatus::ok) {
  return {name, result, result == ActionStatus::ok ? "" : "Permission denied", kWall + at, took, heals};
}

// A drill whose time a test moves.
struct Trial {
  explicit Trial(std::optional<RecoveryMode> mode = RecoveryMode::enforce, Fault fault = Fault::hang)
      : drill({"order", "order.service", mode, 10s, {}, 60s}, fault) {}
  FaultDrill drill;
  base::Instant now{};
  base::WallTime wall = kWall;
  FaultDrill::At at() const { return {now, wall}; }
  void pass(base::Millis time) {
    now += time;
    wall += time;
  }
  void inject() {
    CHECK(text_of(drill.begin(at())) == "commit");
    CHECK(text_of(drill.durable({}, at())) == "inject");
    CHECK(text_of(drill.injected({}, at())) == "tell");
  }
  void detect() {
    pass(2s);
    drill.health(false, at());
  }
  std::string verdict() const { return fmt::format("{}: {}", to_string(drill.report().result), drill.report().text); }
};

}  // namespace

TEST_CASE("a drill that passes measures each stage, and is undone before it is over") {
  Trial trial;
  trial.inject();
  trial.detect();
  trial.pass(1s);
  trial.drill.located(trial.at());
  trial.drill.report(run_of(RecoveryMode::enforce, RecoveryState::acting, false), trial.at());
  model::RecoveryReport run = run_of(RecoveryMode::enforce, RecoveryState::recovered);
  run.actions = {action_of("drain", 3s, 500ms, false), action_of("systemd restart order.service", 4s, 1s, true),
                 action_of("undrain", 8s, 250ms, false)};
  trial.pass(6s);
  CHECK(text_of(trial.drill.health(true, trial.at())) == "");
  CHECK(text_of(trial.drill.report(run, trial.at())) == "undo");
  CHECK(text_of(trial.drill.undone(trial.at())) == "forget close");
  CHECK(trial.verdict() == "passed: detected after 2s, up again after 9s");
  CHECK(trial.drill.report().stages == std::map<Stage, base::Millis>{{Stage::detect, 2s},
                                                                     {Stage::locate, 3s},
                                                                     {Stage::drain, 500ms},
                                                                     {Stage::cure, 1s},
                                                                     {Stage::verify, 3s},
                                                                     {Stage::undrain, 250ms},
                                                                     {Stage::recover, 9s}});
}

TEST_CASE("what a drill finds") {
  struct Row {
    const char* what;
    std::function<std::string(Trial&)> happens;  // up to the undo
    const char* verdict;
  };
  const std::vector<Row> rows{
      {"no probe sees it",
       [](Trial& t) {
         t.pass(10s);
         return text_of(t.drill.wake(t.at()));
       },
       "not_detected: no probe found it within 10s; detect took longer than 10s; recover took longer than 1m"},
      {"polkit refuses the restart",
       [](Trial& t) {
         t.detect();
         model::RecoveryReport run = run_of(RecoveryMode::enforce, RecoveryState::failed);
         run.actions = {action_of("systemd restart order.service", 2s, 1s, true, ActionStatus::refused)};
         return text_of(t.drill.report(run, t.at()));
       },
       "not_recovered: systemd restart order.service: refused (Permission denied); the plan's run ended as failed; "
       "detected after 2s, up again after 2s; undone by the drill"},
      {"a hook is missing, and yet it recovers",
       [](Trial& t) {
         t.detect();
         model::RecoveryReport run = run_of(RecoveryMode::enforce, RecoveryState::recovered);
         run.actions = {action_of("drain", 2s, 1s, false, ActionStatus::failed),
                        action_of("systemd restart order.service", 3s, 1s, true)};
         return text_of(t.drill.report(run, t.at()));
       },
       "step_failed: drain: failed (Permission denied); detected after 2s, up again after 2s"},
      {"the plan waits for ever",
       [](Trial& t) {
         t.detect();
         t.drill.blocked("budget");
         t.pass(58s);
         return text_of(t.drill.wake(t.at()));
       },
       "not_recovered: the plan has not recovered it within 1m, it waits: budget; detected after 2s, up again after "
       "1m; "
       "undone by the drill"},
      {"people stop it",
       [](Trial& t) {
         t.detect();
         return text_of(t.drill.stop("order is in maintenance", t.at()));
       },
       "interrupted: order is in maintenance"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Trial trial;
    trial.inject();
    CHECK(row.happens(trial) == "undo");
    trial.drill.health(true, trial.at());
    CHECK(text_of(trial.drill.undone(trial.at())) == "forget close");
    CHECK(trial.verdict() == row.verdict);
  }
}

TEST_CASE("a plan that does not act says what it would do, and the drill undoes the fault") {
  struct Row {
    std::optional<RecoveryMode> mode;
    RecoveryState says;
    const char* verdict;
  };
  for (const Row& row :
       {Row{RecoveryMode::dry_run, RecoveryState::would_run,
            "passed: detected after 2s, up again after 3s; undone by the drill, for the plan is in dry_run"},
        Row{RecoveryMode::ask, RecoveryState::asking,
            "passed: detected after 2s, up again after 3s; undone by the drill, for the plan asks a person"},
        Row{std::nullopt, RecoveryState::none,
            "passed: detected after 2s, up again after 3s; undone by the drill, for there is no plan"}}) {
    CAPTURE(row.verdict);
    Trial trial(row.mode);
    trial.inject();
    trial.pass(2s);
    const std::string seen = text_of(trial.drill.health(false, trial.at()));
    CHECK(seen == (row.mode ? "" : "undo"));
    if (row.mode) CHECK(text_of(trial.drill.report(run_of(*row.mode, row.says, false), trial.at())) == "undo");
    CHECK(text_of(trial.drill.undone(trial.at())) == "forget");
    trial.pass(1s);
    CHECK(text_of(trial.drill.health(true, trial.at())) == "close");
    CHECK(trial.verdict() == row.verdict);
  }
}

TEST_CASE("a drill waits for receivers and alerts, and names who has not taken its message") {
  Trial trial(std::nullopt);
  trial.inject();
  trial.drill.seen({{"ops webhook[0]", "refused"}}, true, trial.at());
  trial.detect();
  trial.drill.undone(trial.at());
  CHECK(text_of(trial.drill.health(true, trial.at())) == "");
  CHECK(text_of(trial.drill.seen({{"ops webhook[0]", "refused"}}, false, trial.at())) == "");
  trial.pass(FaultDrill::kSettle);
  CHECK(text_of(trial.drill.wake(trial.at())) == "close");
  CHECK(
      trial.verdict() ==
      "not_delivered: ops webhook[0] has not taken the message: refused; detected after 2s, up again after 2s; undone "
      "by the drill, for there is no plan");
}

TEST_CASE("what could not be written, or was refused, is not undone; of all else it is not known") {
  Trial unwritten;
  unwritten.drill.begin(unwritten.at());
  CHECK(text_of(unwritten.drill.durable(base::fail(base::Kind::io, "no space"), unwritten.at())) == "forget close");
  CHECK(unwritten.verdict() == "not_injected: the record of it could not be written: no space");
  for (const auto& [kind, effects] :
       {std::pair{base::Kind::permission, "forget close"}, std::pair{base::Kind::timeout, "undo"}}) {
    Trial trial;
    trial.drill.begin(trial.at());
    trial.drill.durable({}, trial.at());
    CHECK(text_of(trial.drill.injected(base::fail(kind, "systemd said no"), trial.at())) == effects);
  }
}

TEST_CASE("what ends at once is seen before systemd has answered") {
  Trial trial(RecoveryMode::dry_run, Fault::kill);
  trial.drill.begin(trial.at());
  trial.drill.durable({}, trial.at());
  trial.drill.health(false, trial.at());
  trial.drill.report(run_of(RecoveryMode::dry_run, RecoveryState::would_run), trial.at());
  CHECK(text_of(trial.drill.injected({}, trial.at())) == "tell undo");
}

namespace {

// A node that drills order, with a state that outlives its agent.
struct Site {
  fakes::FakeLoop loop;
  fakes::FakeSystemd systemd{loop};
  fakes::FakeSlots slots;
  std::unique_ptr<fakes::FakeState> state = std::make_unique<fakes::FakeState>(loop);
  std::string held, ended;
  std::map<std::string, std::string> untaken;
  std::vector<std::string> reports, told;
  std::unique_ptr<recover::FaultDrills> drills;

  void start(const std::string& configured = "") {
    recover::FaultDrillCallbacks callbacks;
    callbacks.target = [](const std::string& name) -> std::optional<recover::FaultTarget> {
      if (name != "order") return std::nullopt;
      return recover::FaultTarget{"order", "order.service", std::nullopt, {}, {}, {}};
    };
    callbacks.held = [this](const std::string&) { return held; };
    callbacks.ended = [this](const std::string&) { return ended; };
    callbacks.begins = [](const auto&, Fault) {};
    callbacks.is_over = callbacks.begins;
    callbacks.tell = [this](const std::string&, const std::string& text) { told.push_back(text); };
    callbacks.untaken = [this] { return untaken; };
    callbacks.quiet = [](const std::string&) { return true; };
    callbacks.on_report = [this](const std::string&, Fault, const recover::FaultReport& report) {
      reports.push_back(fmt::format("{}: {}", to_string(report.result), report.text));
    };
    callbacks.on_change = [] {};
    drills = std::make_unique<recover::FaultDrills>(recover::FaultDrillContext{loop, systemd, slots}, *state,
                                                    std::move(callbacks));
    if (configured.empty()) return;
    config::Errors errors;
    drills->replace(recover::parse_fault_drills(
        config::Node::parse(configured, "fettle.yml", errors).find("drills"),
        [](const std::string&) { return std::string("order.service"); }, errors));
    REQUIRE(errors.text() == "");
  }
  // The agent is killed: what is durable stays.
  void kill() {
    auto left = state->durable();
    state->dead = true;
    drills.reset();
    state = std::make_unique<fakes::FakeState>(loop, std::move(left));
  }
  static os::UnitState unit(const std::string& active) {
    os::UnitState state;
    state.load = "loaded";
    state.active = active;
    state.main_pid = active == "active" ? 4711 : 0;
    return state;
  }
  void answer_reads(const std::string& active) {
    systemd.on_read = [active](const std::string&) { return unit(active); };
  }
  std::string ask(Fault fault = Fault::hang) {
    std::string answer = "nothing yet";
    drills->run("order", fault,
                [&answer](base::Result<std::string> said) { answer = said ? *said : "refused: " + said.error().text; });
    slots.answer("order", fakes::FakeSlots::Answer::yes);
    loop.run_due();
    return answer;
  }
  // What systemd was asked for last, which it does.
  std::string does() {
    loop.run_due();
    if (systemd.jobs.waiting() == 0) return "";
    const std::string asked = systemd.jobs.last();
    systemd.jobs.answer(std::string("done"));
    loop.run_due();
    return asked;
  }
};

}  // namespace

TEST_CASE("a fault begins after its record is durable, and with a slot that the plan gets back") {
  Site site;
  site.answer_reads("active");
  site.start();
  site.state->held = true;
  site.ask();
  CHECK(site.does() == "");
  CHECK(site.slots.told == std::vector<std::string>{"acquire order"});
  site.state->sync();
  CHECK(site.does() == "signal 19 all order.service");
  CHECK(site.slots.told.back() == "release order");
  CHECK(site.told == std::vector<std::string>{"DRILL: hang is rehearsed at order; nobody has to do anything"});
  site.drills->on_health("order", false);
  CHECK(site.does() == "signal 18 all order.service");
  site.drills->on_health("order", true);
  site.state->sync();
  site.loop.run_due();
  REQUIRE(site.reports.size() == 1);
  CHECK(site.reports.front().starts_with("passed: "));
  CHECK(site.drills->running().empty());
}

TEST_CASE("no drill without a slot, in maintenance, with another one, of a service that is not there") {
  Site site;
  site.start();
  std::string answer;
  const auto keep = [&](base::Result<std::string> said) { answer = said ? *said : said.error().text; };
  site.drills->run("payment", Fault::hang, keep);
  CHECK(answer == "there is no service 'payment' in the configuration");
  site.held = "order is in maintenance";
  site.drills->run("order", Fault::hang, keep);
  CHECK(answer == "order is in maintenance");
  site.held = "";
  site.drills->run("order", Fault::hang, keep);
  site.slots.answer("order", fakes::FakeSlots::Answer::no);
  CHECK(answer == "peers cannot carry the load: node2 has it");
  site.drills->run("order", Fault::hang, keep);
  site.drills->run("order", Fault::kill, keep);
  CHECK(answer == "a drill of order is about to begin; one runs at a time");
  CHECK(site.systemd.jobs.waiting() == 0);
}

TEST_CASE("an agent that was killed in the middle of a drill undoes it before anything else") {
  struct Row {
    Fault fault;
    const char* active;
    const char* undoes;
  };
  for (const Row& row :
       {Row{Fault::hang, "active", "signal 18 all order.service"},
        Row{Fault::slow, "active", "signal 18 all order.service"}, Row{Fault::kill, "failed", "start order.service"},
        Row{Fault::refuse, "inactive", "start order.service"}, Row{Fault::kill, "active", ""}}) {
    CAPTURE(row.undoes);
    Site site;
    site.answer_reads("active");
    site.start();
    site.ask(row.fault);
    site.does();
    site.kill();
    site.answer_reads(row.active);
    site.start();
    CHECK(site.does() == row.undoes);
    site.loop.run_due();
    CHECK(site.reports ==
          std::vector<std::string>{"interrupted: the agent ended in the middle of it; the fault is undone"});
    // Once.
    site.kill();
    site.start();
    CHECK(site.does() == "");
  }
}

TEST_CASE("what cannot be undone is tried again, and nothing begins before") {
  Site site;
  site.answer_reads("active");
  site.start();
  site.ask();
  site.does();
  site.kill();
  site.start();
  site.loop.run_due();
  site.systemd.jobs.answer(base::fail(base::Kind::unavailable, "no bus"));
  CHECK(site.ask() == "refused: the fault of an earlier drill of order is being undone; one runs at a time");
  site.loop.advance(3s);
  CHECK(site.does() == "signal 18 all order.service");
  site.loop.run_due();
  CHECK(site.reports.size() == 1);
}

TEST_CASE("slow stands still and runs in turn, and leaves the next process alone") {
  Site site;
  site.answer_reads("active");
  site.start();
  site.ask(Fault::slow);
  CHECK(site.does() == "signal 19 all order.service");
  site.loop.advance(recover::FaultInjection::kStill);
  CHECK(site.does() == "signal 18 all order.service");
  site.loop.advance(recover::FaultInjection::kRuns);
  CHECK(site.does() == "signal 19 all order.service");
  site.loop.advance(recover::FaultInjection::kStill);
  site.does();
  site.systemd.on_read = [](const std::string&) {
    os::UnitState next = Site::unit("active");
    next.main_pid = 4712;
    return next;
  };
  site.loop.advance(recover::FaultInjection::kRuns);
  CHECK(site.does() == "");
}

TEST_CASE("an agent that ends undoes the fault first, and a drill of the configuration comes when it is due") {
  Site site;
  site.answer_reads("active");
  site.start("drills:\n  game-day: {service: order, fault: kill, every: 1d}\n");
  site.loop.advance(11s);
  site.slots.answer("order", fakes::FakeSlots::Answer::yes);
  CHECK(site.does() == "signal 9 main order.service");
  site.answer_reads("failed");
  bool is_over = false;
  site.drills->finish([&] { is_over = true; });
  CHECK(site.does() == "start order.service");
  CHECK(is_over);
  CHECK(site.reports == std::vector<std::string>{"interrupted: the agent ended in the middle of it"});
}

TEST_CASE("drills are told apart by their keys, and mistakes are named") {
  config::Errors errors;
  const config::Node drills = config::Node::parse(
                                  "drills:\n"
                                  "  a: {service: order, fault: hang}\n"
                                  "  b: {service: order, fault: hung}\n"
                                  "  c: {service: cart, fault: kill}\n"
                                  "  d: {service: bare, fault: kill, scratch: /x}\n"
                                  "  e: {service: order, fault: hang, every: 5m}\n",
                                  "fettle.yml", errors)
                                  .find("drills");
  const auto parsed = recover::parse_fault_drills(
      drills,
      [](const std::string& name) -> std::optional<std::string> {
        if (name == "cart") return std::nullopt;
        return name == "bare" ? "" : name + ".service";
      },
      errors);
  REQUIRE(parsed.size() == 1);
  CHECK(parsed.front()->name == "a");
  CHECK(parsed.front()->longest_without() == 192h);
  const std::string text = errors.text();
  CHECK(text.find("drills.b.fault: ") != std::string::npos);
  CHECK(text.find("drills.c.service: no service is named 'cart'") != std::string::npos);
  CHECK(text.find("drills.d.scratch: ") != std::string::npos);
  CHECK(text.find("drills.e.every: must be at least 1h") != std::string::npos);
  config::Errors none;
  CHECK(recover::parse_drills(
            drills, [](const std::string&) { return true; }, none)
            .empty());
  CHECK(none.text() == "");
}
