// The rules that every probe type keeps, on the real event loop: one answer, in a later turn, at the latest at the
// deadline; silence after it was dropped; no descriptor left; the measurements and documents that it promises.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

#include "compliance/surroundings.h"
#include "config/agent_config.h"

using namespace compliance;

namespace {

// Runs the bare Probe, without the Attempt that would hide a fault of it.
struct Bare {
  Bare(World& w, const probe::Spec& spec) : world(w), probe(spec.settings->make(w.context)) {
    started = world.loop.now();
    probe->start(started + spec.timeout, [this](model::Outcome found) {
      ++answers;
      outcome = std::move(found);
      answered = world.loop.now();
    });
    synchronous = answers > 0;
  }
  World& world;
  int answers = 0;
  bool synchronous = false;
  model::Outcome outcome;
  base::Instant started{}, answered{};
  std::unique_ptr<probe::Probe> probe;
};

}  // namespace

TEST_CASE("every type answers once, in a later turn, with its measurements, and leaves no descriptor") {
  const Surroundings surroundings;
  const auto targets = surroundings.targets();
  World world;
  world.heartbeats.beat("order", false, "");
  for (const probe::Type* type : probe::types()) {
    CAPTURE(type->name);
    REQUIRE(targets.contains(type->name));
    if (const std::string& why = targets.at(type->name).skip; !why.empty()) {
      MESSAGE("skipped: " << type->name << ": " << why);
      continue;
    }
    const probe::Spec spec = spec_of(*type, targets.at(type->name).healthy, 5s);
    std::size_t descriptors = 0;
    for (int round = 0; round < 3; ++round) {
      {
        Bare run(world, spec);
        CHECK_FALSE(run.synchronous);
        REQUIRE(fakes::run_until(world.loop, [&] { return run.answers > 0; }));
        world.run_for(20ms);
        CHECK(run.answers == 1);
        CAPTURE(run.outcome.text);
        CHECK(run.outcome.up);
        CHECK(run.outcome.reason == model::Reason::none);
        CHECK_FALSE(run.outcome.text.empty());
        std::set<std::string> measured;
        for (const auto& m : run.outcome.measurements) {
          measured.insert(m.name);
          CAPTURE(m.name);
          CHECK(type->can_measure(m.name));
        }
        for (const std::string_view name : type->measurements) {
          CAPTURE(name);
          CHECK(measured.contains(std::string(name)));
        }
      }
      world.run_for(5ms);
      // The first round may open what stays: a resolver's channel, a bus. The peers' ends are descriptors of this
      // process as well, and are closed by threads of their own.
      if (round == 0) descriptors = open_descriptors();
      else CHECK(fakes::run_until(world.loop, [&] { return open_descriptors() <= descriptors; }));
    }
  }
}

TEST_CASE("every type is silent after it was dropped, and leaves no descriptor") {
  const Surroundings surroundings;
  const auto targets = surroundings.targets();
  World world;
  for (const probe::Type* type : probe::types()) {
    CAPTURE(type->name);
    const Targets& both = targets.at(type->name);
    for (const base::Millis after : {0ms, 1ms, 10ms}) {
      CAPTURE(after.count());
      const probe::Spec spec = spec_of(*type, both.hole ? *both.hole : both.healthy, 100ms);
      world.run_for(1ms);
      const std::size_t descriptors = open_descriptors();
      Bare run(world, spec);
      if (after.count() > 0) world.run_for(after);
      const int before = run.answers;
      run.probe.reset();
      world.run_for(150ms);
      CHECK(run.answers == before);
      CHECK(open_descriptors() == descriptors);
    }
  }
}

TEST_CASE("every type keeps its deadline within 10 ms against a black hole") {
  const Surroundings surroundings;
  const auto targets = surroundings.targets();
  World world;
  for (const probe::Type* type : probe::types()) {
    CAPTURE(type->name);
    const Targets& both = targets.at(type->name);
    if (!both.hole) continue;
    const probe::Spec spec = spec_of(*type, *both.hole, 60ms);
    // A busy machine may delay any one of them; the best is the type's own.
    base::Duration best = 1h;
    for (int i = 0; i < 50 && best > 10ms; ++i) {
      std::optional<model::Outcome> outcome;
      const base::Instant started = world.loop.now();
      const auto attempt =
          probe::run_once(world.context, spec, [&](model::Outcome found) { outcome = std::move(found); });
      REQUIRE(fakes::run_until(world.loop, [&] { return outcome.has_value(); }));
      CAPTURE(outcome->text);
      CHECK_FALSE(outcome->up);
      // A run in which this process got too little of the time says so, and is not the type's own.
      if (outcome->reason == model::Reason::agent_overloaded && outcome->reason != type->late) continue;
      CHECK(outcome->reason == type->late);
      CHECK_FALSE(outcome->text.empty());
      CHECK(outcome->took >= 59ms);
      best = std::min(best, world.loop.now() - started - 60ms);
    }
    CHECK(std::chrono::duration_cast<std::chrono::microseconds>(best).count() <= 10'000);
  }
}

TEST_CASE("every type documents itself, and its example is a configuration") {
  for (const probe::Type* type : probe::types()) {
    CAPTURE(type->name);
    CHECK(type->summary.size() > 20);
    CHECK(type->summary.back() == '.');
    CHECK_FALSE(type->reference().empty());
    config::Errors errors;
    config::Service service;
    service.unit = "order.service";
    service.probes = {config::Node::parse(type->example, "example", errors)};
    const auto specs = probe::parse_probes("order", service, {}, errors);
    CHECK(errors.text() == "");
    REQUIRE(specs.size() == 1);
    CHECK(specs[0].type == type);
    CHECK_FALSE(specs[0].settings->target().empty());
    CHECK(probe::types().find(type->name) == type);
  }
}
