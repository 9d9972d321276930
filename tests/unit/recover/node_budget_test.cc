// The actions of all services within the hour: counted in the commit of their intent, kept over a crash, enough for
// nobody once they are used up.
#include "recover/plan/node_budget.h"

#include <doctest/doctest.h>

#include "fakes/recovery_site.h"

using recover::GuardName;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

struct Node : fakes::RecoverySite {
  Node() {
    limits = {2, 3};
    start();
  }
  std::unique_ptr<recover::PlanSpec> plan_of(const std::string& service,
                                             model::RecoveryMode mode = model::RecoveryMode::enforce) {
    auto spec = plan(mode);
    spec->service = service;
    spec->depends_on.clear();
    spec->budget = {100, minutes{15}, {base::Millis{1000}, 1, base::Millis{1000}, 0, minutes{10}}};
    spec->steps[0].verify->within = base::Millis{5000};
    service_view.health[service] = model::Health::down;
    return spec;
  }
  // A service that nothing heals: a probe of it fails every second.
  void suffer(base::Duration d) {
    for (auto end = loop.now() + d; loop.now() < end; loop.advance(seconds{1}))
      for (const auto& status : dispatcher->statuses()) dispatcher->on_run(status.service, "http", false);
  }
};

}  // namespace

TEST_CASE("no more actions than the node's budget, over all services, also when the agent is started again") {
  Node f;
  const auto use = [&f] {
    std::vector<std::unique_ptr<recover::PlanSpec>> plans;
    plans.push_back(f.plan_of("order"));
    plans.push_back(f.plan_of("payment"));
    f.dispatcher->replace(std::move(plans));
  };
  use();
  for (const char* service : {"order", "payment"})
    f.dispatcher->on_alert(fakes::transition("ServiceDown", service, f.loop.wall_now()));
  f.suffer(minutes{10});
  CHECK(f.restart.started.size() == 3);
  CHECK(f.dispatcher->node_actions_left() == 0);
  CHECK(f.status().reason == GuardName::node_budget);
  CHECK(f.status().next ==
        "runs systemd restart order.service once node_budget allows it: 0 of 3 actions of the node left in 1h");
  CHECK(f.status().not_before == base::wall_from_ms(1'700'000'000'000) + minutes{60});
  f.dispatcher.reset();
  f.start();
  use();
  f.suffer(minutes{49});
  CHECK(f.restart.started.size() == 3);
  f.suffer(minutes{2});
  CHECK(f.restart.started.size() > 3);
}

TEST_CASE("a step that the node's budget does not allow is refused, and the run goes on to those who are told") {
  Node f;
  f.limits = {2, 1};
  f.start();
  auto spec = f.plan_of("order");
  spec->steps.push_back(fakes::scripted_step("reboot", f.restart));
  spec->steps.push_back(fakes::scripted_step("alert page", f.telling));
  f.use(std::move(spec));
  f.alert("ServiceDown");
  f.suffer(seconds{20});
  CHECK(f.restart.started.size() == 1);
  CHECK(f.telling.started.size() == 1);
  const auto actions = f.dispatcher->reports().back().actions;
  REQUIRE(actions.size() == 3);
  CHECK(actions[1].action == "reboot");
  CHECK(actions[1].result == model::ActionStatus::refused);
  CHECK(actions[1].text == "node_budget: 0 of 1 actions of the node left in 1h");
}

TEST_CASE("a person is not held back by the node's budget") {
  Node f;
  f.limits = {2, 1};
  f.start();
  f.use(f.plan_of("order"));
  f.alert("ServiceDown");
  f.suffer(seconds{30});
  REQUIRE(f.status().reason == GuardName::node_budget);
  f.dispatcher->recover("order", recover::Start::now, "", [](base::Result<std::string>) {});
  f.loop.run_due();
  CHECK(f.restart.started.size() == 2);
}

TEST_CASE("dry runs take nothing from the node's budget, however many there are") {
  Node f;
  f.use(f.plan_of("order", model::RecoveryMode::dry_run));
  for (int outage = 1; outage <= 4; ++outage) {
    f.service_view.health["order"] = model::Health::down;
    f.alert("ServiceDown");
    f.suffer(minutes{1});
    CHECK(f.dispatcher->reports().size() == static_cast<std::size_t>(outage));
    f.healthy();
    f.loop.run_due();
  }
  CHECK(f.dispatcher->reports().at(0).state == model::RecoveryState::would_run);
  CHECK(f.dispatcher->node_actions_left() == 3);
}

TEST_CASE("an intent that is written again after a full disk counts once") {
  Node f;
  f.use(f.plan_of("order"));
  f.state.failing = true;
  f.alert("ServiceDown");
  f.loop.advance(seconds{5});
  f.state.failing = false;
  f.loop.advance(seconds{2});
  CHECK(f.restart.started.size() == 1);
  CHECK(f.dispatcher->node_actions_left() == 2);
}

TEST_CASE("an unreadable record counts as used up") {
  Node f;
  f.state.commit({state::Change::put(state::Table::budgets, "@node", "{")}, [](base::Result<>) {});
  f.loop.run_due();
  f.start();
  CHECK(f.dispatcher->node_actions_left() == 0);
}
