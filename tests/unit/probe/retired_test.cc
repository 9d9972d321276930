// Probes that are replaced in the very turn in which their answers are ready: what a retired run says is dropped, each
// place is given back once, and nothing of it is told.
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fakes/schedule_node.h"

namespace {

using namespace std::chrono_literals;
using fakes::list;
using fakes::Script;
using fakes::spec_of;
using model::Outcome;
using model::Reason;

// A node whose probes run at `at`, all at once, when it is told to.
struct Node : fakes::ScheduleNode {
  void settle() {
    world.loop.advance(1min);
    runs.clear();
    changes.clear();
  }
  // In the turn `after` from now, before anything that is armed later for the same instant.
  void in(base::Duration after, loop::Task task) { timers.push_back(world.loop.after(after, std::move(task))); }
  std::vector<loop::Handle> timers;
};

probe::Spec rare(Script& script, const std::string& name, const std::string& settings) {
  probe::Spec spec = spec_of(script, "order", name);
  spec.interval = 1h;
  spec.settings_text = settings;
  return spec;
}

const probe::Type kOneAtATime{"one", "", "", nullptr, nullptr, {}, nullptr, model::Reason::read_timeout, 1};

}  // namespace

TEST_CASE("a probe that is replaced in the turn of its answer says nothing more") {
  Script old, fresh;
  old.takes = 300ms;
  Node node;
  node.schedule.replace(list(rare(old, "http", "a")));
  node.settle();
  node.in(300ms, [&] { node.schedule.replace(list(rare(fresh, "http", "b"))); });
  node.schedule.trigger("order", "http");
  CHECK(node.schedule.load().running == 1);
  SUBCASE("an answer") {}
  SUBCASE("two answers") { old.answers_twice = true; }
  SUBCASE("a failure") { old.outcome = Outcome::failure(Reason::refused, "refused"); }
  node.world.loop.advance(400ms);
  CHECK(node.runs.empty());
  CHECK(node.changes.empty());
  CHECK(old.alive == 0);
  CHECK(old.after_runs == 1);  // the one of settle()
  CHECK(node.schedule.load().running == 0);
  REQUIRE(node.schedule.status("order", "http") != nullptr);
  CHECK(node.schedule.status("order", "http")->runs == 0);
  node.world.loop.advance(6s);
  CHECK(node.runs.size() == 1);
  CHECK(fresh.starts.size() == 1);
}

TEST_CASE("a discovered probe that is replaced in the turn of its answer says nothing more, and the others go on") {
  Script old, stays;
  old.takes = stays.takes = 300ms;
  probe::Spec discovered = rare(old, "http", "a");
  discovered.discovered = true;
  Node node;
  node.schedule.replace(list(std::move(discovered), rare(stays, "tcp", "a")));
  node.settle();
  node.in(300ms, [&] { node.schedule.replace_discovered({}); });
  node.schedule.trigger_service("order");
  CHECK(node.schedule.load().running == 2);
  node.world.loop.advance(400ms);
  REQUIRE(node.runs.size() == 1);
  CHECK(node.runs[0].spec->name == "tcp");
  CHECK(node.schedule.load().running == 0);
  CHECK(node.schedule.status("order", "http") == nullptr);
}

TEST_CASE("a probe that is replaced in the turn of its deadline says nothing more") {
  Script silent, fresh;
  silent.takes = 300ms;
  Node node;
  node.schedule.replace(list(rare(silent, "http", "a")));
  node.settle();
  silent.outcome.reset();
  node.in(505ms, [&] { node.schedule.replace(list(rare(fresh, "http", "b"))); });  // timeout and slack
  node.schedule.trigger("order", "http");
  node.world.loop.advance(1s);
  CHECK(node.runs.empty());
  CHECK(node.schedule.load().running == 0);
  CHECK(silent.alive == 0);
}

TEST_CASE("an event in the turn in which its probe was retired starts nothing") {
  Script old, fresh;
  Node node;
  node.schedule.replace(list(rare(old, "process", "a")));
  node.settle();
  const probe::OnEvent on_event = old.on_event;
  node.schedule.replace(list(rare(fresh, "process", "b")));
  on_event({"pidfd", "process 7 ended", node.world.loop.now()});
  node.world.loop.run_due();
  CHECK(old.starts.size() == 1);
  CHECK(fresh.starts.empty());
  CHECK(node.schedule.load().running == 0);
  CHECK(node.schedule.status("order", "process")->events == 0);
}

TEST_CASE("an event that waits for its run goes with the probe that was retired") {
  Script old, fresh;
  Node node;
  node.schedule.replace(list(rare(old, "process", "a")));
  node.settle();
  old.on_event({"pidfd", "process 7 ended", node.world.loop.now()});
  node.world.loop.advance(5ms);
  old.on_event({"pidfd", "process 8 ended", node.world.loop.now()});  // 100 ms after the last
  const std::size_t starts = old.starts.size();
  node.runs.clear();
  node.schedule.replace(list(rare(fresh, "process", "b")));
  node.world.loop.advance(1s);
  CHECK(old.starts.size() == starts);
  CHECK(node.schedule.load().running == 0);
}

TEST_CASE("places are given back once, whoever is replaced while runs answer and others wait") {
  constexpr int kProbes = 6;
  std::vector<std::unique_ptr<Script>> scripts;
  const auto specs = [&](const std::string& settings) {
    std::vector<probe::Spec> out;
    for (int i = 0; i < kProbes; ++i) {
      scripts.push_back(std::make_unique<Script>());
      scripts.back()->takes = 300ms;
      out.push_back(rare(*scripts.back(), "probe" + std::to_string(i), settings));
      if (i < 3) out.back().type = &kOneAtATime;
    }
    return out;
  };
  Node node;
  node.schedule.limit({2, {}});
  node.schedule.replace(specs("0"));
  node.settle();
  for (int round = 1; round <= 20; ++round) {
    node.in(300ms, [&] { node.schedule.replace(specs(std::to_string(round))); });
    node.schedule.trigger_service("order");
    CHECK(node.schedule.load().running == 2);
    CHECK(node.schedule.load().waiting == kProbes - 2);
    node.world.loop.advance(300ms);
    CHECK(node.runs.empty());
    CHECK(node.schedule.load().running == 0);
    CHECK(node.schedule.load().waiting == 0);
  }
  for (const auto& script : scripts) CHECK(script->alive == 0);
  // Those that are there now have all their places.
  node.schedule.trigger_service("order");
  node.world.loop.advance(10s);
  CHECK(node.runs.size() >= kProbes);
  CHECK(node.schedule.load().running == 0);
}

TEST_CASE("none of the probes that go runs in the place of another one of them") {
  std::vector<std::unique_ptr<Script>> scripts;
  std::vector<probe::Spec> specs;
  for (int i = 0; i < 4; ++i) {
    scripts.push_back(std::make_unique<Script>());
    specs.push_back(rare(*scripts.back(), "probe" + std::to_string(i), "a"));
  }
  Script stays;
  Node node;
  node.schedule.limit({1, {}});
  specs.push_back(rare(stays, "stays", "a"));
  node.schedule.replace(std::move(specs));
  node.settle();
  node.schedule.trigger_service("order");
  CHECK(node.schedule.load().waiting == 4);
  std::size_t started = 0;
  for (const auto& script : scripts) started += script->starts.size();
  node.schedule.replace(list(rare(stays, "stays", "a")));
  CHECK(node.schedule.load().running == 1);
  CHECK(node.schedule.load().waiting == 0);
  for (const auto& script : scripts) started -= script->starts.size();
  CHECK(started == 0);
  node.world.loop.advance(1s);
  CHECK(node.runs.size() == 1);
}

TEST_CASE("of two probes with one name both give their places back") {
  Script configured, discovered;
  configured.takes = discovered.takes = 300ms;
  probe::Spec found = rare(discovered, "http", "b");
  found.discovered = true;
  Node node;
  node.schedule.replace(list(rare(configured, "http", "a"), std::move(found)));
  node.settle();
  node.schedule.trigger_service("order");
  CHECK(node.schedule.load().running == 2);
  node.schedule.replace({});
  CHECK(node.schedule.load().running == 0);
  node.world.loop.advance(1s);
  CHECK(node.runs.empty());
  CHECK(configured.alive + discovered.alive == 0);
}

TEST_CASE("a reload that gives a probe more time does not move the deadline of the run that is going on") {
  Script script;
  Node node;
  node.schedule.replace(list(rare(script, "http", "a")));
  node.settle();
  script.outcome.reset();
  node.schedule.trigger("order", "http");
  node.world.loop.advance(10ms);
  probe::Spec patient = rare(script, "http", "a");
  patient.timeout = 1min;
  node.schedule.replace(list(std::move(patient)));
  node.world.loop.advance(600ms);
  REQUIRE(node.runs.size() == 1);
  CHECK(node.runs[0].outcome.reason == Reason::read_timeout);
  CHECK(node.runs[0].outcome.text == "no answer within 500ms");
}
