// What recovery asks of the agent besides health.
#include "app/service_view.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include "fakes/fake_loop.h"

TEST_CASE("while the agent can open no descriptor it does not trust itself to act") {
  const app::ServiceHealthTable health_table;
  const fakes::FakeLoop loop;
  const std::unique_ptr<probe::Schedule> schedule;
  const std::unique_ptr<app::ChangeWatch> changes;
  const app::ServiceView view(health_table, loop, schedule, changes);
  CHECK(view.impairments().empty());

  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit none{0, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  const auto lacking = view.impairments();
  ::setrlimit(RLIMIT_NOFILE, &before);

  REQUIRE(lacking.size() == 1);
  CHECK(lacking[0].name == "agent_overloaded");
  CHECK(lacking[0].text == "the agent can open no descriptor: Too many open files");
  CHECK(view.impairments().empty());
}
