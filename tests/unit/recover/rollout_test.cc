// The part of a rollout that a service has: which steps of its plan are run, what holds it back, and what ends it.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "fakes/fake_slots.h"
#include "fakes/recovery_site.h"

using fakes::FakeSlots;
using model::Health;
using recover::GuardName;
using recover::Heed;
using Answer = recover::SlotAnswer::Kind;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

// drain → page → restart, verified → reload → reboot; finally undrain. The service is up, and nothing fires.
struct Site : fakes::RecoverySite {
  FakeSlots few;
  fakes::ActionScript drain{.heals = false, .traffic = true, .drains = true}, undrain{.heals = false, .traffic = true},
      reload, reboot;
  std::string answer;

  Site() {
    slots = &few;
    unit_now = {.load = "loaded", .active = "active", .sub = "running", .result = "success"};
    service_view.health["order"] = Health::up;
    start();
  }
  ~Site() { dispatcher.reset(); }

  void use_all(model::RecoveryMode mode = model::RecoveryMode::enforce) {
    auto spec = plan(mode);
    spec->steps.insert(spec->steps.begin(), fakes::scripted_step("page", telling));
    spec->steps.insert(spec->steps.begin(), fakes::scripted_step("drain", drain));
    spec->steps.push_back(fakes::scripted_step("systemd reload order.service", reload));
    spec->steps.push_back(fakes::scripted_step("reboot", reboot));
    spec->finally.push_back(fakes::scripted_step("undrain", undrain));
    use(std::move(spec));
  }
  void roll_out(const std::string& word = "") {
    dispatcher->roll_out("order", word, "rollout 4f2a",
                         [this](const base::Result<std::string>& r) { answer = r ? "begun" : r.error().text; });
    loop.run_due();
    few.answer("order", Answer::yes);
    loop.run_due();
  }
  // Until nothing moves any more; the probe says what the service is.
  void let_it_end(bool up) {
    for (int i = 0; i < 100; ++i) {
      loop.advance(seconds{1});
      dispatcher->on_run("order", "http", up);
    }
  }
  std::string actions() const {
    std::string out;
    const auto reports = dispatcher->reports();
    if (reports.empty()) return "no report";
    for (const auto& action : reports.front().actions)
      out += action.action + " " + std::string(to_string(action.result)) + ", ";
    return out + std::string(to_string(reports.front().state));
  }
};

}  // namespace

TEST_CASE("a part runs the steps before its own that heal nothing, its own, and finally; nothing escalates") {
  struct Row {
    std::string word;
    bool comes_up;
    std::string actions;
  };
  for (const Row& row :
       std::vector<Row>{{"", true, "drain ok, page ok, systemd restart order.service ok, undrain ok, recovered"},
                        {"restart", true, "drain ok, page ok, systemd restart order.service ok, undrain ok, recovered"},
                        {"reload", true, "drain ok, page ok, systemd reload order.service ok, undrain ok, recovered"},
                        {"restart", false, "drain ok, page ok, systemd restart order.service ok, undrain ok, failed"},
                        {"reload", false, "drain ok, page ok, systemd reload order.service ok, undrain ok, failed"}}) {
    CAPTURE(row.word);
    CAPTURE(row.comes_up);
    Site site;
    site.use_all();
    CHECK(site.dispatcher->ready_for_rollout("order", row.word).closed == Heed::no);
    site.roll_out(row.word);
    CHECK(site.answer == "begun");
    REQUIRE(site.few.requests.size() == 1);
    CHECK(site.few.requests[0].of_rollout);
    CHECK_FALSE(site.few.requests[0].by_person);
    site.let_it_end(row.comes_up);
    CHECK(site.actions() == row.actions);
    CHECK(site.dispatcher->reports().front().trigger == "rollout 4f2a");
    CHECK(site.few.told.back() == "release order");
  }
}

TEST_CASE("a step that fails ends the part; a drain that fails does not where there is no traffic to lose") {
  struct Row {
    std::string what;
    Health health;
    std::string actions;
  };
  for (const Row& row : std::vector<Row>{
           {"restart", Health::up, "drain ok, page ok, systemd restart order.service failed, undrain ok, failed"},
           {"drain", Health::up, "drain failed, undrain ok, failed"},
           {"drain", Health::down, "drain failed, page ok, systemd restart order.service ok, undrain ok, recovered"}}) {
    CAPTURE(row.what);
    Site site;
    site.use_all();
    site.service_view.health["order"] = row.health;
    (row.what == "drain" ? site.drain : site.restart).result = {model::ActionStatus::failed, "no"};
    site.roll_out();
    site.let_it_end(true);
    CHECK(site.actions() == row.actions);
    CHECK(site.reboot.started.empty());
  }
}

TEST_CASE("what holds a part back: only people open it, or it passes") {
  using Mode = model::RecoveryMode;
  struct Row {
    std::string name;
    std::function<void(Site&)> make;
    Heed closed;
    std::string text;
  };
  for (const Row& row : std::vector<Row>{
           {"no such step", [](Site& s) { s.use_all(); }, Heed::never,
            "its plan has no step for unit_hook:x; steps that"},
           {"no plan", [](Site&) {}, Heed::never, "service 'order' has no recovery plan"},
           {"dry run", [](Site& s) { s.use_all(Mode::dry_run); }, Heed::never, "its plan is in mode dry_run"},
           {"mode ask", [](Site& s) { s.use_all(Mode::ask); }, Heed::no, ""},
           {"maintenance",
            [](Site& s) {
              s.use_all();
              s.dispatcher->begin_maintenance("order", {}, "alice", nullptr);
              s.loop.run_due();
            },
            Heed::never, "maintenance: on: alice"},
           {"panic",
            [](Site& s) {
              s.use_all();
              s.few.guards = {{GuardName::fleet_busy, false, "busy"},
                              {GuardName::fleet_panic, false, "3 of 4 are down"}};
            },
            Heed::never, "fleet_panic: 3 of 4 are down"},
           {"busy",
            [](Site& s) {
              s.use_all();
              s.few.guards = {{GuardName::fleet_busy, false, "1 of 1 slots taken"}};
            },
            Heed::later, "fleet_busy: 1 of 1 slots taken"},
           {"a dependency",
            [](Site& s) {
              s.use_all();
              s.service_view.health["redis"] = Health::down;
            },
            Heed::later, "dependencies: redis is down"},
           {"another run",
            [](Site& s) {
              s.use_all();
              s.roll_out();
            },
            Heed::later, "is under way"}}) {
    CAPTURE(row.name);
    Site site;
    row.make(site);
    const auto ready = site.dispatcher->ready_for_rollout("order", row.name == "no such step" ? "unit_hook:x" : "");
    CHECK(static_cast<int>(ready.closed) == static_cast<int>(row.closed));
    CAPTURE(ready.text);
    CHECK(ready.text.find(row.text) != std::string::npos);
    if (row.closed == Heed::no || row.name == "another run") continue;
    site.roll_out();
    CHECK((site.answer != "begun" || row.name == "no such step"));
  }
}

TEST_CASE("a panic after the drain leaves the step out, and traffic comes back") {
  Site site;
  site.use_all();
  site.drain.on_start = [&site] { site.few.guards = {{GuardName::fleet_panic, false, "3 of 4 are down"}}; };
  site.roll_out();
  site.let_it_end(true);
  CHECK(site.restart.started.empty());
  CHECK(site.actions() == "drain ok, page ok, systemd restart order.service refused, undrain ok, failed");
}

TEST_CASE("an agent that ends in the middle of the step does not know whether it was done: the part has failed") {
  struct Row {
    base::Duration after;
    const char* outcome;
  };
  for (const Row& row : {Row{std::chrono::milliseconds{20}, "failed"},   // the drain
                         Row{std::chrono::milliseconds{120}, "failed"},  // the restart
                         Row{seconds{1}, "recovered"}}) {                // its verification
    CAPTURE(row.outcome);
    Site site;
    site.use_all();
    site.restart.takes = std::chrono::milliseconds{200};
    site.roll_out();
    site.loop.advance(row.after);
    site.start();
    site.use_all();
    site.let_it_end(true);
    REQUIRE_FALSE(site.dispatcher->reports().empty());
    CHECK(to_string(site.dispatcher->reports().front().state) == row.outcome);
    CHECK(site.dispatcher->reports().front().trigger == "rollout 4f2a");
    CHECK(site.undrain.started.size() >= 1);
    CHECK(site.restart.started.size() <= 1);
  }
}

TEST_CASE("a word names a step: a verb, or a type with its name") {
  recover::PlanSpec spec;
  fakes::ActionScript heals, tells{.heals = false};
  const std::vector<std::string> all{"alert page",         "unit_hook restart",     "systemd reload order.service",
                                     "docker restart web", "unit_hook clear-cache", "command /opt/migrate"};
  for (const std::string& text : all)
    spec.steps.push_back(fakes::scripted_step(text, text == "alert page" ? tells : heals));
  struct Row {
    std::string word;
    int step;
  };
  for (const Row& row : std::vector<Row>{{"", 1},
                                         {"restart", 3},
                                         {"reload", 2},
                                         {"rest", -1},
                                         {"page", -1},
                                         {"unit_hook:restart", 1},
                                         {"unit_hook:clear-cache", 4},
                                         {"unit_hook:clear", -1},
                                         {"systemd:reload", 2},
                                         {"command:/opt/migrate", 5},
                                         {"stop", -1}}) {
    CAPTURE(row.word);
    const auto step = spec.step_of(row.word);
    CHECK((step ? static_cast<int>(*step) : -1) == row.step);
  }
}
