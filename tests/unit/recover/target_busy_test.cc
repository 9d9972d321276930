// What another run of ours works on is left to it: a service that a reload renamed, two services with one unit or one
// container.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "fakes/recovery_site.h"
#include "recover/plan/target_guard.h"

using model::Health;
using recover::GuardName;
using std::chrono::minutes;
using std::chrono::seconds;
using Lines = std::vector<std::string>;

namespace {

// Services that may act beside each other; each action is long.
struct Site : fakes::RecoverySite {
  std::map<std::string, fakes::ActionScript> scripts;
  Lines begun;

  Site() {
    limits.plans_at_once = 3;
    start();
  }
  std::unique_ptr<recover::PlanSpec> plan_of(const std::string& service, const std::string& unit,
                                             const std::string& target) {
    service_view.health[service] = Health::down;
    fakes::ActionScript& script = scripts[service];
    script.takes = seconds{20};
    script.target = target;
    script.on_start = [this, service] { begun.push_back(service); };
    auto spec = plan();
    spec->service = service;
    spec->unit = unit;
    spec->depends_on.clear();
    spec->steps.clear();
    spec->steps.push_back(fakes::scripted_step("restart " + service, script));
    return spec;
  }
  template <typename... Specs>
  void use_all(Specs... specs) {
    std::vector<std::unique_ptr<recover::PlanSpec>> plans;
    (plans.push_back(std::move(specs)), ...);
    dispatcher->replace(std::move(plans));
  }
  void fire(const std::string& service) {
    dispatcher->on_alert(fakes::transition("ServiceDown", service, loop.wall_now()));
    loop.run_due();
  }
  // A second, in which each service's probe fails.
  void tick() {
    loop.advance(seconds{1});
    for (const auto& [service, script] : scripts) dispatcher->on_run(service, "http", false);
    loop.run_due();
  }
  recover::PlanStatus status_of(const std::string& service) const {
    const auto all = dispatcher->statuses();
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& s) { return s.service == service; });
    REQUIRE(found != all.end());
    return *found;
  }
};

}  // namespace

TEST_CASE("a service that a reload renames in mid-action: the new plan waits until the old run has ended") {
  Site f;
  f.use_all(f.plan_of("order", "", ""));
  f.fire("order");
  REQUIRE(f.begun == Lines{"order"});
  const std::string id = f.status_of("order").recovery;
  f.use_all(f.plan_of("orders", "", ""));
  f.fire("orders");
  f.tick();
  CHECK(f.begun == Lines{"order"});
  CHECK(f.status_of("orders").reason == GuardName::target_busy);
  CHECK(f.status_of("orders").next.find("recovery " + id +
                                        " of order, which this configuration does not have any more, "
                                        "has not ended: restart order") != std::string::npos);
  // Nor does a person start it beside the other.
  std::string answer;
  f.dispatcher->recover("orders", recover::Start::now, "",
                        [&](base::Result<std::string> r) { answer = r ? *r : r.error().text; });
  f.loop.run_due();
  CHECK(answer.find("orders is not recovered: target_busy: recovery") == 0);
  for (int i = 0; i < 17; ++i) f.tick();
  CHECK(f.begun == Lines{"order"});
  for (int i = 0; i < 5; ++i) f.tick();
  CHECK(f.begun == Lines{"order", "orders"});
}

TEST_CASE("a plan that was there before does not wait for one that a reload takes out") {
  Site f;
  f.use_all(f.plan_of("order", "", ""), f.plan_of("catalog", "", ""));
  f.fire("order");
  f.use_all(f.plan_of("catalog", "", ""));
  f.fire("catalog");
  CHECK(f.begun == Lines{"order", "catalog"});
}

TEST_CASE("of two services with one unit or one container, one acts at a time, also when both decide in one turn") {
  struct Row {
    const char *unit, *target;
  };
  for (const Row& row : {Row{"order.service", ""}, Row{"", "container again"}}) {
    CAPTURE(row.unit);
    Site f;
    f.use_all(f.plan_of("http", row.unit, row.target), f.plan_of("grpc", row.unit, row.target));
    for (const char* service : {"http", "grpc"})
      f.dispatcher->on_alert(fakes::transition("ServiceDown", service, f.loop.wall_now()));
    f.loop.run_due();
    REQUIRE(f.begun.size() == 1);
    const std::string second = f.begun[0] == "http" ? "grpc" : "http";
    CHECK(f.status_of(second).reason == GuardName::target_busy);
    for (int i = 0; i < 19; ++i) f.tick();
    CHECK(f.begun.size() == 1);
    for (int i = 0; i < 5; ++i) f.tick();
    CHECK(f.begun.size() == 2);
  }
}

TEST_CASE("a later step waits as well, and is not given up") {
  Site f;
  fakes::ActionScript first{.takes = seconds{1}};
  auto spec = f.plan_of("http", "", "container again");
  spec->steps.insert(spec->steps.begin(), fakes::scripted_step("mild", first));
  f.use_all(std::move(spec), f.plan_of("grpc", "", "container again"));
  f.fire("grpc");
  f.fire("http");
  CHECK(first.started.size() == 1);
  for (int i = 0; i < 19; ++i) f.tick();
  CHECK(f.begun == Lines{"grpc"});
  CHECK(f.status_of("http").reason == GuardName::target_busy);
  for (int i = 0; i < 30 && f.begun.size() < 2; ++i) f.tick();
  CHECK(fmt::format("{}", fmt::join(f.begun, " ")) == "grpc http");
}

TEST_CASE("a command of `finally` is started when the other one has ended") {
  Site f;
  fakes::ActionScript cleans{.takes = seconds{1}, .target = "container again"}, first{.takes = seconds{1}};
  auto spec = f.plan_of("http", "", "");
  spec->steps.clear();
  spec->steps.push_back(fakes::scripted_step("quick", first));
  spec->finally.push_back(fakes::scripted_step("clean", cleans));
  f.use_all(std::move(spec), f.plan_of("grpc", "", "container again"));
  f.fire("grpc");
  f.fire("http");
  f.loop.advance(seconds{2});
  f.service_view.health["http"] = Health::up;
  f.dispatcher->on_run("http", "http", true);
  for (int i = 0; i < 15; ++i) f.loop.advance(seconds{1});
  CHECK(cleans.started.empty());
  for (int i = 0; i < 5; ++i) f.loop.advance(seconds{1});
  CHECK(cleans.started.size() == 1);
}

TEST_CASE("the guard names who works on what") {
  const recover::TargetUse other{"order", "7", "restart", {"order.service"}, false};
  CHECK(recover::target_guard({"order.service"}, {}).open);
  CHECK(recover::target_guard({"catalog.service"}, {other}).open);
  CHECK(recover::target_guard({"catalog.service", "order.service"}, {other}).text ==
        "recovery 7 of order works on order.service: restart");
}
