#include "incident/decide/decide.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

using incident::Act;
using incident::Answer;
using model::RecoveryMode;
using model::RecoveryState;
using std::chrono::seconds;

namespace {

const base::WallTime kStart = base::wall_from_ms(1'700'000'000'000);

model::Incident fault() {
  model::Incident out;
  out.id = "inc_1";
  out.service = "order";
  out.started = kStart;
  out.down = true;
  out.cause = {"http", "refused", "connect: refused", "127.0.0.1:8081", "", 0};
  out.alerts.resize(1);
  out.alerts.front().state = model::AlertState::firing;
  return out;
}

Answer enforce() {
  Answer out;
  out.mode = model::RecoveryMode::enforce;
  out.wanted = true;
  return out;
}

model::RecoveryReport run(RecoveryState state, RecoveryMode mode, bool acted, bool ended = true) {
  model::RecoveryReport out;
  out.id = "r1";
  out.service = "order";
  out.mode = mode;
  out.state = state;
  out.attempt = 1;
  if (acted) out.actions.push_back({"systemd restart order.service", model::ActionStatus::ok, "", kStart, {}, true});
  if (ended) out.ended = kStart + seconds{5};
  return out;
}

}  // namespace

TEST_CASE("people wait while a plan may still mend it, and not a moment longer") {
  struct Row {
    std::string name;
    std::function<void(model::Incident&, Answer&)> given;
    seconds after;
    Act want;
    std::string why;
  };
  const std::vector<Row> rows{
      {"a plan is at work", [](auto&, auto&) {}, seconds{5}, Act::hold, "recovery is at work"},
      {"until the last moment of hold_for", [](auto&, auto&) {}, seconds{119}, Act::hold, "recovery is at work"},
      {"hold_for is over", [](auto&, auto&) {}, seconds{120}, Act::page, "it is not mended after 2m"},
      {"hold_for: 0s", [](auto&, auto& a) { a.hold_for = base::Millis{0}; }, seconds{0}, Act::page,
       "it is not mended after 0s"},
      {"a reload makes hold_for longer: the deadline stays",
       [](auto& i, auto& a) {
         i.hold_until = kStart + seconds{120};
         a.hold_for = seconds{600};
       },
       seconds{121}, Act::page, "it is not mended after 2m"},
      {"a reload makes hold_for shorter",
       [](auto& i, auto& a) {
         i.hold_until = kStart + seconds{120};
         a.hold_for = seconds{10};
       },
       seconds{11}, Act::page, "it is not mended after 10s"},
      {"no plan", [](auto&, auto& a) { a = {}; }, seconds{1}, Act::page, "no recovery is configured for it"},
      {"no plan, and a dependency that may be down",
       [](auto&, auto& a) {
         a = {};
         a.suspect = "redis";
       },
       seconds{9}, Act::hold, "redis, which it depends on, may be down"},
      {"no plan, and a dependency that is not found down in time",
       [](auto&, auto& a) {
         a = {};
         a.suspect = "redis";
       },
       seconds{10}, Act::page, "no recovery is configured for it"},
      {"a dry run", [](auto&, auto& a) { a.mode = model::RecoveryMode::dry_run; }, seconds{1}, Act::page,
       "its recovery is in mode dry_run and touches nothing"},
      {"a plan for something else", [](auto&, auto& a) { a.wanted = false; }, seconds{1}, Act::page,
       "no recovery answers what is wrong with it"},
      {"healed, and an alert that the plan does not answer lasts",
       [](auto& i, auto& a) {
         i.hold_until = kStart + seconds{120};
         a.wanted = false;
         a.closed = "cooldown: 2 min left";
         a.opens = kStart + seconds{130};
       },
       seconds{9}, Act::hold, "it is up, and an alert of it still fires"},
      {"healed, and such an alert lasts too long",
       [](auto& i, auto& a) {
         i.hold_until = kStart + seconds{120};
         a.wanted = false;
       },
       seconds{120}, Act::page, "it is not mended after 2m"},
      {"healed by the last attempt that the budget had, before the rule is evaluated again",
       [](auto& i, auto& a) {
         i.recoveries = {run(RecoveryState::recovered, RecoveryMode::enforce, true)};
         i.down = false;
         a.closed = "budget: 0 of 1 attempts left in 1h";
         a.opens = kStart + seconds{3600};
       },
       seconds{1}, Act::hold, "it is up, and an alert of it still fires"},
      {"the same, and the agent was killed and asks for another run by the alert of before",
       [](auto& i, auto& a) {
         i.recoveries = {run(RecoveryState::recovered, RecoveryMode::enforce, true),
                         run(RecoveryState::aborted, RecoveryMode::enforce, false, false)};
         i.recoveries.back().id = "r2";
         i.last_down = kStart;
         a.run = "r2";
         a.closed = "budget: 0 of 1 attempts left in 1h";
         a.opens = kStart + seconds{3600};
       },
       seconds{2}, Act::hold, "it is up, and an alert of it still fires"},
      {"down once more after that",
       [](auto& i, auto& a) {
         i.recoveries = {run(RecoveryState::recovered, RecoveryMode::enforce, true)};
         i.down = true;
         i.last_down = kStart + seconds{6};
         a.closed = "budget: 0 of 1 attempts left in 1h";
         a.opens = kStart + seconds{3600};
       },
       seconds{1}, Act::page, "recovery comes too late: budget: 0 of 1 attempts left in 1h"},
      {"mode ask, before it asked", [](auto&, auto& a) { a.mode = model::RecoveryMode::ask; }, seconds{1}, Act::hold,
       "recovery is at work"},
      {"a plan asks a person", [](auto& i, auto&) { i.demands = {"order: recovery waits for a person"}; }, seconds{1},
       Act::page, "order: recovery waits for a person"},
      {"a gate that only a person opens",
       [](auto&, auto& a) {
         a.needs_person = true;
         a.closed = "paused: by /run/fettle/pause";
       },
       seconds{1}, Act::page, "recovery waits for a person: paused: by /run/fettle/pause"},
      {"a gate that time opens before the deadline",
       [](auto&, auto& a) {
         a.closed = "min_uptime: 20 s left";
         a.opens = kStart + seconds{20};
       },
       seconds{1}, Act::hold, "recovery waits: min_uptime: 20 s left"},
      {"a gate that time opens after it",
       [](auto&, auto& a) {
         a.closed = "cooldown: 3 min left";
         a.opens = kStart + seconds{180};
       },
       seconds{1}, Act::page, "recovery comes too late: cooldown: 3 min left"},
      {"the group is beyond its panic threshold, and this agent tells people",
       [](auto&, auto& a) {
         a.group = incident::GroupPanic{"3 of 4 members of order are down", "order on node1", true};
       },
       seconds{1}, Act::page,
       "3 of 4 members of order are down; no member is recovered, and no other agent tells people of it"},
      {"another agent tells people of the group, whatever was tried here",
       [](auto& i, auto& a) {
         i.recoveries = {run(RecoveryState::failed, RecoveryMode::enforce, true)};
         a.mode.reset();
         a.group = incident::GroupPanic{"3 of 4 members of order are down", "order on node2", false};
       },
       seconds{500}, Act::refer, "3 of 4 members of order are down; order on node2 tells people, for all"},
      {"it is not known yet who tells people of the group",
       [](auto&, auto& a) {
         a.group = incident::GroupPanic{"3 of 4 members of order are down", "", false};
       },
       seconds{1}, Act::refer, "3 of 4 members of order are down; which agent tells people is being decided"},
      {"it is up again while its group is beyond the threshold",
       [](auto& i, auto& a) {
         i.calm_since = kStart + seconds{1};
         a.group = incident::GroupPanic{"3 of 4 members of order are down", "order on node1", true};
       },
       seconds{2}, Act::quiet, "nothing is wrong any more"},
      {"who has been told is told, also of a group",
       [](auto& i, auto& a) {
         i.told = kStart;
         i.why = "its last recovery ended as failed";
         a.group = incident::GroupPanic{"3 of 4 members of order are down", "order on node2", false};
       },
       seconds{2}, Act::page, "its last recovery ended as failed"},
      {"the first run did not mend it",
       [](auto& i, auto&) { i.recoveries = {run(RecoveryState::failed, RecoveryMode::enforce, true)}; }, seconds{6},
       Act::page, "its last recovery ended as failed"},
      {"the first run did not mend it, and is being written down",
       [](auto& i, auto& a) {
         i.recoveries = {run(RecoveryState::failed, RecoveryMode::enforce, true)};
         a.run = "r1";
       },
       seconds{6}, Act::hold, "recovery is at work"},
      {"the budget is used up",
       [](auto& i, auto&) {
         i.recoveries = {run(RecoveryState::exhausted, RecoveryMode::enforce, false)};
         i.recoveries.front().reason = "budget";
       },
       seconds{6}, Act::page, "its last recovery ended as exhausted (budget)"},
      {"the run goes on",
       [](auto& i, auto&) { i.recoveries = {run(RecoveryState::acting, RecoveryMode::enforce, true, false)}; },
       seconds{6}, Act::hold, "recovery is at work"},
      {"no alert of it has fired, and there is no plan",
       [](auto& i, auto& a) {
         i.alerts.clear();
         a = {};
       },
       seconds{6}, Act::quiet, "no alert of it fires"},
      {"no alert of it has fired, and a plan without one was in vain",
       [](auto& i, auto&) {
         i.alerts.clear();
         i.recoveries = {run(RecoveryState::failed, RecoveryMode::enforce, true)};
       },
       seconds{6}, Act::page, "its last recovery ended as failed"},
      {"a dry run never gave up",
       [](auto& i, auto&) { i.recoveries = {run(RecoveryState::failed, RecoveryMode::dry_run, true)}; }, seconds{6},
       Act::hold, "recovery is at work"},
      {"a run that was not needed any more",
       [](auto& i, auto&) { i.recoveries = {run(RecoveryState::aborted, RecoveryMode::enforce, false)}; }, seconds{6},
       Act::hold, "recovery is at work"},
      {"a run that was stopped in the middle",
       [](auto& i, auto&) { i.recoveries = {run(RecoveryState::aborted, RecoveryMode::enforce, true)}; }, seconds{6},
       Act::page, "its last recovery ended as aborted"},
      {"it is healed",
       [](auto& i, auto&) {
         i.recoveries = {run(RecoveryState::recovered, RecoveryMode::enforce, true)};
         i.calm_since = kStart + seconds{5};
       },
       seconds{6}, Act::quiet, "nothing is wrong any more"},
      {"healed, and long ago: hold_for means nothing", [](auto& i, auto&) { i.calm_since = kStart + seconds{5}; },
       seconds{130}, Act::quiet, "nothing is wrong any more"},
      {"who was told is told",
       [](auto& i, auto&) {
         i.told = kStart + seconds{1};
         i.why = "as it was then";
         i.calm_since = kStart + seconds{5};
       },
       seconds{6}, Act::page, "as it was then"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    model::Incident incident = fault();
    Answer answer = enforce();
    row.given(incident, answer);
    const incident::Decision got = incident::decide(incident, answer, kStart + row.after);
    CHECK(static_cast<int>(got.act) == static_cast<int>(row.want));
    CHECK(got.why == row.why);
    CHECK(got.until.has_value() == (row.want == Act::hold));
  }
}
