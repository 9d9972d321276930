// What a rehearsed fault comes to, row by row.
#include "recover/drill/fault_drill.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>
#include <functional>
#include <map>
#include <string>
#include <vector>

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
