// How many runs go on at the same time.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fakes/schedule_node.h"

namespace {

using namespace std::chrono_literals;
using fakes::spec_of;
using Node = fakes::ScheduleNode;

const probe::Type kRationed{"rationed", "", "", nullptr, nullptr, {}, nullptr, model::Reason::exec_timeout, 2};

}  // namespace

TEST_CASE("a type with a limit runs that many at a time, the others in their turn") {
  std::vector<std::unique_ptr<fakes::Script>> scripts;
  std::vector<probe::Spec> specs;
  for (int i = 0; i < 5; ++i) {
    scripts.push_back(std::make_unique<fakes::Script>());
    scripts.back()->takes = 300ms;
    specs.push_back(spec_of(*scripts.back(), "order", "exec" + std::to_string(i)));
    specs.back().type = &kRationed;
    specs.back().interval = 1h;
  }
  Node node;
  node.schedule.replace(std::move(specs));
  node.world.loop.advance(1min);
  const auto started_at = [&](base::Instant t) {
    int n = 0;
    for (const auto& script : scripts) n += script->starts.back() == t;
    return n;
  };
  const base::Instant t0 = node.world.loop.now();
  node.schedule.trigger_service("order");
  node.world.loop.advance(100ms);
  CHECK(started_at(t0) == 2);
  node.schedule.trigger_service("order");  // joins: those that wait are not queued twice
  node.world.loop.advance(5s);
  CHECK(started_at(t0 + 300ms) == 2);
  CHECK(started_at(t0 + 600ms) == 1);
  CHECK(node.runs.back().lateness == 600ms);
}

TEST_CASE("over all types as many runs go on as the limit says, and who waits does not hold up another type") {
  std::vector<std::unique_ptr<fakes::Script>> scripts;
  std::vector<probe::Spec> specs;
  for (int i = 0; i < 6; ++i) {
    scripts.push_back(std::make_unique<fakes::Script>());
    scripts.back()->takes = 300ms;
    specs.push_back(spec_of(*scripts.back(), "order", "probe" + std::to_string(i)));
    if (i < 3) specs.back().type = &kRationed;
    specs.back().interval = 1h;
  }
  Node node;
  node.schedule.limit({4, {{"rationed", 1}}});
  node.schedule.replace(std::move(specs));
  node.world.loop.advance(1min);
  const base::Instant t0 = node.world.loop.now();
  node.schedule.trigger_service("order");
  const auto started_at = [&](base::Duration after) {
    std::string who;
    for (std::size_t i = 0; i < scripts.size(); ++i)
      if (scripts[i]->starts.back() == t0 + after) who += std::to_string(i);
    return who;
  };
  node.world.loop.advance(100ms);
  CHECK(started_at(0ms) == "0345");  // one of three of the rationed type, and all of the other
  CHECK(node.schedule.load().running == 4);
  CHECK(node.schedule.load().waiting == 2);
  node.world.loop.advance(5s);
  CHECK(started_at(300ms) == "1");
  CHECK(started_at(600ms) == "2");
  CHECK(node.schedule.load().running == 0);
  CHECK(node.schedule.load().waiting == 0);

  // One that is taken away while it runs or waits leaves its place.
  node.schedule.limit({1, {}});
  node.schedule.trigger_service("order");
  CHECK(node.schedule.load().running == 1);
  CHECK(node.schedule.load().waiting == 5);
  node.schedule.replace({});
  node.world.loop.advance(1s);
  CHECK(node.schedule.load().running == 0);
  CHECK(node.schedule.load().waiting == 0);
}

TEST_CASE(
    "a thousand targets that never answer hold no more runs than allowed, and those that answer have their turn") {
  std::vector<std::unique_ptr<fakes::Script>> scripts;
  std::vector<probe::Spec> specs;
  for (int i = 0; i < 1010; ++i) {
    scripts.push_back(std::make_unique<fakes::Script>());
    const bool answers = i % 101 == 0;
    scripts.back()->takes = answers ? base::Millis{1} : base::Millis{3'600'000};
    specs.push_back(spec_of(*scripts.back(), "order", "probe" + std::to_string(i)));
    specs.back().interval = 10s;
  }
  Node node;
  node.schedule.limit({100, {}});
  node.schedule.replace(std::move(specs));
  std::size_t most = 0;
  for (int i = 0; i < 600; ++i) {
    node.world.loop.advance(100ms);
    most = std::max(most, node.schedule.load().running);
  }
  CHECK(most <= 100);
  CHECK(most > 20);
  for (std::size_t i = 0; i < scripts.size(); i += 101) CHECK(scripts[i]->starts.size() >= 6);
}

TEST_CASE("limits by type name types that exist") {
  config::Errors errors;
  config::ProbesAtOnce settings;
  settings.by_type = config::Node::parse("{http: 20, exce: 2, tcp: 0}", "f.yml", errors);
  const probe::Limits limits = probe::parse_limits(settings, 512, errors);
  CHECK(limits.at_once == 512);
  CHECK(limits.by_type.at("http") == 20);
  CHECK(errors.text() ==
        "f.yml:1:12: global.probes_at_once.by_type.exce: there is no such probe type; did you mean 'exec'?\n"
        "f.yml:1:26: global.probes_at_once.by_type.tcp: expected a number of runs, at least 1, got '0'\n");
}
