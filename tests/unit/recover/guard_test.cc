#include "recover/guard.h"

#include <doctest/doctest.h>

#include <functional>

using model::Health;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

const base::Instant kNow{std::chrono::hours{10}};

struct Case {
  recover::PlanSpec plan;
  recover::Spent spent;
  recover::Situation situation;

  Case() {
    plan.service = "order";
    situation.now = kNow;
    situation.agent_started = kNow - minutes{5};
    situation.health = Health::down;
    situation.uptime = minutes{4};
    situation.dependencies = {{"redis", Health::up}};
  }
};

}  // namespace

TEST_CASE("the first closed gate is the reason, with a text and the time at which it opens") {
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
       [](Case& c) { c.situation.maintenance = "deploy by alice"; },
       "maintenance",
       "on: deploy by alice",
       {}},
      {"ask",
       [](Case& c) { c.plan.mode = recover::Mode::ask; },
       "ask",
       "mode is ask: fettle recover order approves",
       {}},
      {"latched",
       [](Case& c) { c.spent.exhausted = true; },
       "exhausted",
       "gave up after 3 attempts within 15m; after the repair: fettle ack order; or 10m of health",
       {}},
      {"window full",
       [](Case& c) {
         c.spent.attempts = {kNow - minutes{14}, kNow - minutes{2}, kNow};
       },
       "budget", "0 of 3 attempts left in 15m", minutes{1}},
      {"agent just started", [](Case& c) { c.situation.agent_started = kNow - seconds{10}; }, "agent_uptime",
       "the agent started 10s ago, 50s to go", seconds{50}},
      {"agent held up",
       [](Case& c) { c.situation.agent_overloaded = true; },
       "agent_overloaded",
       "the agent itself was held up lately; its probes are no proof",
       {}},
      {"dependency down",
       [](Case& c) { c.situation.dependencies.emplace_back("mysql", Health::down); },
       "dependencies",
       "mysql is down: a restart would not help",
       {}},
      {"dependency unknown", [](Case& c) { c.situation.dependencies[0].second = Health::unknown; }, "", "", {}},
      {"dependency down, not asked for",
       [](Case& c) {
         c.situation.dependencies[0].second = Health::down;
         c.plan.guards.dependencies_healthy = false;
       },
       "",
       "",
       {}},
      {"just started", [](Case& c) { c.situation.uptime = seconds{12}; }, "min_uptime",
       "started 12s ago, may take 30s to get ready, 18s to go", seconds{18}},
      {"not running at all", [](Case& c) { c.situation.uptime.reset(); }, "", "", {}},
      {"recovered lately", [](Case& c) { c.spent.recovered_at = kNow - seconds{20}; }, "cooldown",
       "recovered 20s ago, 1m40s to go", seconds{100}},
      {"failed lately",
       [](Case& c) {
         c.spent.failures = 2;
         c.spent.not_before = kNow + seconds{8};
       },
       "backoff", "2 failed in a row, 8s to go", seconds{8}},
      {"backoff is over", [](Case& c) { c.spent.not_before = kNow; }, "", "", {}},
      {"several: the more lasting one is named",
       [](Case& c) {
         c.situation.maintenance = "";
         c.spent.not_before = kNow + seconds{8};
       },
       "maintenance",
       "on",
       {}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Case c;
    row.change(c);
    const auto gates = recover::evaluate_gates(c.plan, c.spent, c.situation);
    const recover::Gate* closed = recover::first_closed(gates);
    CHECK((closed ? closed->name : "") == row.reason);
    CHECK((closed ? closed->text : "") == row.text);
    const auto opens = closed ? closed->opens : std::nullopt;
    CHECK(opens.has_value() == row.opens_in.has_value());
    if (opens && row.opens_in) CHECK(*opens == kNow + *row.opens_in);
  }
}

TEST_CASE("explain gets every gate with its value") {
  const Case c;
  std::string all;
  for (const recover::Gate& gate : recover::evaluate_gates(c.plan, c.spent, c.situation))
    all += gate.name + ": " + gate.text + "\n";
  CHECK(all ==
        "maintenance: off\n"
        "exhausted: not latched\n"
        "budget: 3 of 3 attempts left in 15m\n"
        "agent_uptime: the agent started 5m ago\n"
        "agent_overloaded: no\n"
        "dependencies: redis is up\n"
        "min_uptime: started 4m ago\n"
        "cooldown: no recovery before\n"
        "backoff: none\n"
        "node_busy: no\n");
}
