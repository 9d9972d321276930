#include "recover/plan/guard.h"

#include <doctest/doctest.h>

#include <functional>

#include "fakes/scripted_action.h"
#include "recover/plan/wait_text.h"

using model::Health;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

const base::Instant kNow{std::chrono::hours{10}};

struct Case {
  fakes::ActionScript restart;
  recover::PlanSpec plan;
  recover::BudgetUsage usage;
  recover::PlanInput input;

  Case() {
    plan.service = "order";
    plan.unit = "order.service";
    plan.probes = {"http"};
    plan.steps.push_back(fakes::scripted_step("systemd restart order.service", restart));
    input.now = kNow;
    input.agent_started = kNow - minutes{5};
    input.health = Health::down;
    input.uptime = minutes{4};
    input.dependencies = {{"redis", Health::up}};
  }
};

}  // namespace

TEST_CASE("the first closed guard is the reason, with a text and the time at which it opens") {
  struct Row {
    const char* name;
    std::function<void(Case&)> change;
    const char* reason;
    const char* text;
    std::optional<base::Duration> opens_in;
  };
  const Row rows[] = {
      {"nothing", [](Case&) {}, "", "", {}},
      {"maintenance",
       [](Case& c) { c.input.maintenance = recover::Hold{"deploy by alice"}; },
       "maintenance",
       "on: deploy by alice",
       {}},
      {"ask",
       [](Case& c) { c.plan.mode = model::RecoveryMode::ask; },
       "ask",
       "mode is ask: fettle recover order approves",
       {}},
      {"latched",
       [](Case& c) { c.usage.exhausted = true; },
       "exhausted",
       "gave up after 3 attempts within 15m; after the repair: fettle ack order; or 10m of health",
       {}},
      {"changed, and run since",
       [](Case& c) {
         c.input.changed =
             model::NodeChange{c.input.wall - minutes{20}, "order", model::ChangeKind::configuration, "/etc/order.yml"};
         c.usage.attempts = {kNow - minutes{30}, kNow - minutes{19}};
       },
       "changed_recently",
       "/etc/order.yml (configuration) was changed 20m ago, and a recovery since then did not last: undo the change, "
       "or: fettle ack order; or 40m to go",
       {}},
      {"changed, and run before only",
       [](Case& c) {
         c.input.changed =
             model::NodeChange{c.input.wall - minutes{20}, "order", model::ChangeKind::program, "/usr/bin/order"};
         c.usage.attempts = {kNow - minutes{30}, kNow - minutes{21}};
       },
       "",
       "",
       {}},
      {"window full",
       [](Case& c) {
         c.usage.attempts = {kNow - minutes{14}, kNow - minutes{2}, kNow};
       },
       "budget", "0 of 3 attempts left in 15m", minutes{1}},
      {"agent just started", [](Case& c) { c.input.agent_started = kNow - seconds{10}; }, "agent_uptime",
       "the agent started 10s ago, 50s to go", seconds{50}},
      {"maintenance that ends",
       [](Case& c) {
         c.input.wall = base::wall_from_ms(1'700'000'000'000);
         c.input.maintenance = recover::Hold{"window Sun 02:00-04:00", c.input.wall + minutes{7}};
       },
       "maintenance", "on: window Sun 02:00-04:00", minutes{7}},
      {"a pause file",
       [](Case& c) { c.input.paused = recover::Hold{"/run/fettle/pause exists"}; },
       "paused",
       "on: /run/fettle/pause exists",
       {}},
      {"agent held up",
       [](Case& c) {
         c.input.impairments = {{"stall", "the loop stood still for 0.7s", kNow + seconds{20}}};
       },
       "stall", "the loop stood still for 0.7s; its probes are no proof, 20s to go", seconds{20}},
      {"clock set",
       [](Case& c) {
         c.input.impairments = {{"clock_jump", "the clock was set", kNow + seconds{20}}};
       },
       "clock_jump", "the clock was set; its probes are no proof, 20s to go", seconds{20}},
      {"CPU short",
       [](Case& c) {
         c.input.impairments = {{"agent_overloaded", "CPU is short", kNow + seconds{9}}};
       },
       "agent_overloaded", "CPU is short; its probes are no proof, 9s to go", seconds{9}},
      {"no verdict yet",
       [](Case& c) { c.input.health = Health::unknown; },
       "unknown",
       "its probes have not come to a verdict",
       {}},
      {"no verdict ever: it has no probes",
       [](Case& c) {
         c.input.health = Health::unknown;
         c.plan.probes.clear();
       },
       "",
       "",
       {}},
      {"stopped",
       [](Case& c) { c.input.stopped = "order.service was stopped"; },
       "stopped_by_operator",
       "order.service was stopped",
       {}},
      {"stopped, and that is ignored",
       [](Case& c) {
         c.input.stopped = "order.service was stopped";
         c.plan.guards.respects_clean_stop = false;
       },
       "",
       "",
       {}},
      {"dependency down",
       [](Case& c) {
         c.input.dependencies.push_back({"mysql", Health::down});
       },
       "dependencies",
       "mysql is down: a restart would not help",
       {}},
      {"dependency that has begun to fail",
       [](Case& c) { c.input.dependencies[0].latest = Health::down; },
       "dependencies",
       "redis is up, but its last probe failed: a restart would not help",
       {}},
      {"dependency without a verdict that fails",
       [](Case& c) {
         c.input.dependencies = {{"redis", Health::unknown, Health::down}};
       },
       "dependencies",
       "redis is unknown, but its last probe failed: a restart would not help",
       {}},
      {"dependency down by its verdict, and its last run was good",
       [](Case& c) {
         c.input.dependencies = {{"redis", Health::down, Health::up}};
       },
       "dependencies",
       "redis is down: a restart would not help",
       {}},
      {"dependency unknown", [](Case& c) { c.input.dependencies[0].health = Health::unknown; }, "", "", {}},
      {"dependency down, not asked for",
       [](Case& c) {
         c.input.dependencies[0].health = Health::down;
         c.plan.guards.dependencies_healthy = false;
       },
       "",
       "",
       {}},
      {"just started", [](Case& c) { c.input.uptime = seconds{12}; }, "min_uptime",
       "started 12s ago, may take 30s to get ready, 18s to go", seconds{18}},
      {"not running at all", [](Case& c) { c.input.uptime.reset(); }, "", "", {}},
      {"recovered lately", [](Case& c) { c.usage.recovered_at = kNow - seconds{20}; }, "cooldown",
       "recovered 20s ago, 1m40s to go", seconds{100}},
      {"failed lately",
       [](Case& c) {
         c.usage.failures = 2;
         c.usage.not_before = kNow + seconds{8};
       },
       "backoff", "2 failed in a row, 8s to go", seconds{8}},
      {"backoff is over", [](Case& c) { c.usage.not_before = kNow; }, "", "", {}},
      {"several: the more lasting one is named",
       [](Case& c) {
         c.input.maintenance = recover::Hold{};
         c.usage.not_before = kNow + seconds{8};
       },
       "maintenance",
       "on",
       {}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Case c;
    row.change(c);
    const auto guards = recover::evaluate_guards(c.plan, c.usage, c.input);
    const recover::Guard* closed = recover::first_closed(guards);
    CHECK((to_string(closed ? closed->name : recover::GuardName::none)) == row.reason);
    CHECK((closed ? closed->text : "") == row.text);
    const auto opens = closed ? closed->opens : std::nullopt;
    CHECK(opens.has_value() == row.opens_in.has_value());
    if (opens && row.opens_in) CHECK(*opens == kNow + *row.opens_in);
  }
}

TEST_CASE("explain gets every guard with its value") {
  const Case c;
  std::string all;
  for (const recover::Guard& guard : recover::evaluate_guards(c.plan, c.usage, c.input)) all += to_string(guard) + "\n";
  CHECK(all ==
        "maintenance: off\n"
        "paused: no\n"
        "exhausted: not latched\n"
        "changed_recently: no\n"
        "budget: 3 of 3 attempts left in 15m\n"
        "agent_uptime: the agent started 5m ago\n"
        "stall: no\n"
        "clock_jump: no\n"
        "agent_overloaded: no\n"
        "unknown: it is down\n"
        "stopped_by_operator: no\n"
        "drained_by_operator: no\n"
        "dependencies: redis is up\n"
        "min_uptime: started 4m ago\n"
        "cooldown: no recovery before\n"
        "backoff: none\n"
        "node_busy: no\n"
        "node_budget: not limited\n"
        "target_busy: no\n");
}

TEST_CASE("whoever waits is told whole seconds") {
  using namespace std::chrono_literals;
  CHECK(recover::wait_text(-5s) == "0s");
  CHECK(recover::wait_text(250ms) == "250ms");
  CHECK(recover::wait_text(1999ms) == "1s999ms");
  CHECK(recover::wait_text(2s + 1ns) == "3s");
  CHECK(recover::wait_text(45'851ms) == "46s");
  CHECK(recover::wait_text(3'599'100ms) == "1h");
}
