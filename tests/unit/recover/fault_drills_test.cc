// The fault drills of a node, with a state that outlives its agent.
#include "recover/drill/fault_drills.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fakes/fake_slots.h"
#include "fakes/fake_state.h"
#include "fakes/probe_world.h"
#include "recover/drill/drill_spec.h"

namespace {

using namespace std::chrono_literals;
using recover::Fault;

// A node that drills order, with a state that outlives its agent.
struct Site {
  fakes::FakeLoop loop;
  fakes::FakeSystemd systemd{loop};
  fakes::FakeSlots slots;
  std::unique_ptr<fakes::FakeState> state = std::make_unique<fakes::FakeState>(loop);
  std::string held, ended, stopped;
  std::map<std::string, std::string> untaken;
  std::vector<std::string> reports, told;
  std::string answer;  // to the person who asked last
  std::unique_ptr<recover::FaultDrills> drills;

  void start(const std::string& configured = "") {
    recover::FaultDrillCallbacks callbacks;
    callbacks.target = [](const std::string& name) -> std::optional<recover::FaultTarget> {
      if (name != "order") return std::nullopt;
      return recover::FaultTarget{"order", "order.service", std::nullopt, {}, {}, {}};
    };
    callbacks.held = [this](const std::string&) { return held; };
    callbacks.ended = [this](const std::string&) { return ended; };
    callbacks.stopped = [this](const recover::FaultTarget&) { return stopped; };
    callbacks.begins = [](const auto&, Fault) {};
    callbacks.is_over = callbacks.begins;
    callbacks.tell = [this](const std::string&, const std::string& text) { told.push_back(text); };
    callbacks.untaken = [this] { return untaken; };
    callbacks.quiet = [](const std::string&) { return true; };
    callbacks.on_report = [this](const std::string&, Fault, const recover::FaultReport& report) {
      reports.push_back(fmt::format("{}: {}", to_string(report.result), report.text));
    };
    callbacks.on_change = [] {};
    drills = std::make_unique<recover::FaultDrills>(recover::FaultDrillContext{loop, systemd, slots}, *state,
                                                    std::move(callbacks));
    if (configured.empty()) return;
    config::Errors errors;
    drills->replace(recover::parse_fault_drills(
        config::Node::parse(configured, "fettle.yml", errors).find("drills"),
        [](const std::string&) { return std::string("order.service"); }, errors));
    REQUIRE(errors.text() == "");
  }
  // The agent is killed: what is durable stays.
  void kill() {
    auto left = state->durable();
    state->dead = true;
    drills.reset();
    state = std::make_unique<fakes::FakeState>(loop, std::move(left));
  }
  static os::UnitState unit(const std::string& active) {
    os::UnitState state;
    state.load = "loaded";
    state.active = active;
    state.main_pid = active == "active" ? 4711 : 0;
    return state;
  }
  void answer_reads(const std::string& active) {
    systemd.on_read = [active](const std::string&) { return unit(active); };
  }
  std::string ask(Fault fault = Fault::hang) {
    answer = "nothing yet";
    drills->run("order", fault,
                [this](base::Result<std::string> said) { answer = said ? *said : "refused: " + said.error().text; });
    slots.answer("order", fakes::FakeSlots::Answer::yes);
    loop.run_due();
    return answer;
  }
  // What systemd was asked for last, which it does.
  std::string does() {
    loop.run_due();
    if (systemd.jobs.waiting() == 0) return "";
    const std::string asked = systemd.jobs.last();
    systemd.jobs.answer(std::string("done"));
    loop.run_due();
    return asked;
  }
};

}  // namespace

TEST_CASE("a fault begins after its record is durable, and with a slot that the plan gets back") {
  Site site;
  site.answer_reads("active");
  site.start();
  site.state->held = true;
  site.ask();
  CHECK(site.does() == "");
  CHECK(site.slots.told == std::vector<std::string>{"acquire order"});
  site.state->sync();
  CHECK(site.does() == "signal 19 all order.service");
  CHECK(site.slots.told.back() == "release order");
  CHECK(site.told == std::vector<std::string>{"DRILL: hang is rehearsed at order; nothing has to be done"});
  site.drills->on_health("order", false);
  CHECK(site.does() == "signal 18 all order.service");
  site.drills->on_health("order", true);
  site.state->sync();
  site.loop.run_due();
  REQUIRE(site.reports.size() == 1);
  CHECK(site.reports.front().starts_with("passed: "));
  CHECK(site.drills->running().empty());
}

TEST_CASE("no drill without a slot, in maintenance, with another one, of a service that is not there") {
  Site site;
  site.start();
  std::string answer;
  const auto keep = [&](base::Result<std::string> said) { answer = said ? *said : said.error().text; };
  site.drills->run("payment", Fault::hang, keep);
  CHECK(answer == "there is no service 'payment' in the configuration");
  site.held = "order is in maintenance";
  site.drills->run("order", Fault::hang, keep);
  CHECK(answer == "order is in maintenance");
  site.held = "";
  site.drills->run("order", Fault::hang, keep);
  site.slots.answer("order", fakes::FakeSlots::Answer::no);
  CHECK(answer == "peers cannot carry the load: node2 has it");
  site.drills->run("order", Fault::hang, keep);
  site.drills->run("order", Fault::kill, keep);
  CHECK(answer == "a drill of order is about to begin; one runs at a time");
  CHECK(site.systemd.jobs.waiting() == 0);
}

TEST_CASE("an agent that was killed in the middle of a drill undoes it before anything else") {
  struct Row {
    Fault fault;
    const char* active;
    const char* undoes;
  };
  for (const Row& row :
       {Row{Fault::hang, "active", "signal 18 all order.service"},
        Row{Fault::slow, "active", "signal 18 all order.service"}, Row{Fault::kill, "failed", "start order.service"},
        Row{Fault::refuse, "inactive", "start order.service"}, Row{Fault::kill, "active", ""}}) {
    CAPTURE(row.undoes);
    Site site;
    site.answer_reads("active");
    site.start();
    site.ask(row.fault);
    site.does();
    site.kill();
    site.answer_reads(row.active);
    site.start();
    CHECK(site.does() == row.undoes);
    site.loop.run_due();
    CHECK(site.reports ==
          std::vector<std::string>{"interrupted: the agent ended in the middle of it; the fault is undone"});
    // Once.
    site.kill();
    site.start();
    CHECK(site.does() == "");
  }
}

TEST_CASE("what people have stopped in the middle of a drill is not started again") {
  for (const Fault fault : {Fault::kill, Fault::refuse}) {
    Site site;
    site.answer_reads("active");
    site.start();
    site.ask(fault);
    site.does();
    site.answer_reads("inactive");
    site.stopped = "order.service is being stopped";
    site.loop.advance(1s);
    CHECK(site.does() == "");
    site.loop.advance(recover::FaultDrill::kSettle);
    CHECK(site.does() == "");
    REQUIRE(site.reports.size() == 1);
    CHECK(site.reports.front().starts_with("interrupted: order.service is being stopped"));
  }
  // It has to go on before it can end.
  Site site;
  site.answer_reads("active");
  site.start();
  site.ask(Fault::hang);
  site.does();
  site.stopped = "order.service is being stopped";
  site.loop.advance(1s);
  CHECK(site.does() == "signal 18 all order.service");
}

TEST_CASE("what ended cleanly after a kill was stopped by people: an agent after one that was killed lets it be") {
  Site site;
  site.answer_reads("active");
  site.start();
  site.ask(Fault::kill);
  site.does();
  site.kill();
  site.systemd.on_read = [](const std::string&) {
    os::UnitState state = Site::unit("inactive");
    state.result = "success";
    return state;
  };
  site.start();
  CHECK(site.does() == "");
  CHECK(site.reports.size() == 1);
}

TEST_CASE("what cannot be undone is tried again, and nothing begins before") {
  Site site;
  site.answer_reads("active");
  site.start();
  site.ask();
  site.does();
  site.kill();
  site.start();
  site.loop.run_due();
  site.systemd.jobs.answer(base::fail(base::Kind::unavailable, "no bus"));
  CHECK(site.ask() == "refused: the fault of an earlier drill of order is being undone; one runs at a time");
  site.loop.advance(3s);
  CHECK(site.does() == "signal 18 all order.service");
  site.loop.run_due();
  CHECK(site.reports.size() == 1);
}

TEST_CASE("slow stands still and runs in turn, and leaves the next process alone") {
  Site site;
  site.answer_reads("active");
  site.start();
  site.ask(Fault::slow);
  CHECK(site.does() == "signal 19 all order.service");
  site.loop.advance(recover::FaultInjection::kStill);
  CHECK(site.does() == "signal 18 all order.service");
  site.loop.advance(recover::FaultInjection::kRuns);
  CHECK(site.does() == "signal 19 all order.service");
  site.loop.advance(recover::FaultInjection::kStill);
  site.does();
  site.systemd.on_read = [](const std::string&) {
    os::UnitState next = Site::unit("active");
    next.main_pid = 4712;
    return next;
  };
  site.loop.advance(recover::FaultInjection::kRuns);
  CHECK(site.does() == "");
}

TEST_CASE("an agent that ends undoes the fault first, and a drill of the configuration comes when it is due") {
  Site site;
  site.answer_reads("active");
  site.start("drills:\n  game-day: {service: order, fault: kill, every: 1d, windows: \"00:00-24:00\"}\n");
  site.loop.advance(11s);
  site.slots.answer("order", fakes::FakeSlots::Answer::yes);
  CHECK(site.does() == "signal 9 main order.service");
  site.answer_reads("failed");
  bool is_over = false;
  site.drills->finish([&] { is_over = true; });
  CHECK(site.does() == "start order.service");
  CHECK(is_over);
  CHECK(site.reports == std::vector<std::string>{"interrupted: the agent ended in the middle of it"});
}

TEST_CASE("units that can get a fault") {
  using recover::unit_complaint;
  CHECK(unit_complaint("a", "order.service") == "");
  CHECK(unit_complaint("a", "order@1.service") == "");
  CHECK(unit_complaint("a", "") == "a has no unit that could get the fault; set its unit");
  for (const char* unit : {"order*.service", "order.socket", "-.slice", "init.scope", "order"})
    CHECK(unit_complaint("a", unit) ==
          std::string("the unit of a is ") + unit + "; only one .service unit can get a fault");
  for (const char* unit : {"fettle.service", "dbus.service", "polkit.service", "systemd-journald.service"})
    CHECK(unit_complaint("a", unit) == std::string("the agent needs ") + unit + " to undo a fault; no drill of it");
}

TEST_CASE("drills are told apart by their keys, and mistakes are named") {
  config::Errors errors;
  const config::Node drills = config::Node::parse(
                                  "drills:\n"
                                  "  a: {service: order, fault: hang, windows: \"00:00-24:00\"}\n"
                                  "  b: {service: order, fault: hung, windows: \"00:00-24:00\"}\n"
                                  "  c: {service: cart, fault: kill, windows: \"00:00-24:00\"}\n"
                                  "  d: {service: bare, fault: kill, scratch: /x, windows: \"00:00-24:00\"}\n"
                                  "  f: {service: order, fault: kill}\n"
                                  "  g: {service: dbus, fault: kill, windows: \"00:00-24:00\"}\n"
                                  "  e: {service: order, fault: hang, every: 5m, windows: \"00:00-24:00\"}\n",
                                  "fettle.yml", errors)
                                  .find("drills");
  const auto parsed = recover::parse_fault_drills(
      drills,
      [](const std::string& name) -> std::optional<std::string> {
        if (name == "cart") return std::nullopt;
        return name == "bare" ? "" : name + ".service";
      },
      errors);
  REQUIRE(parsed.size() == 1);
  CHECK(parsed.front()->name == "a");
  CHECK(parsed.front()->longest_without() == 192h);
  const std::string text = errors.text();
  CHECK(text.find("drills.b.fault: ") != std::string::npos);
  CHECK(text.find("drills.c.service: no service is named 'cart'") != std::string::npos);
  CHECK(text.find("drills.d.scratch: ") != std::string::npos);
  CHECK(text.find("drills.f.windows: needed: a fault begins by itself in them") != std::string::npos);
  CHECK(text.find("drills.g.service: the agent needs dbus.service to undo a fault") != std::string::npos);
  CHECK(text.find("drills.e.every: must be at least 1h") != std::string::npos);
  config::Errors none;
  CHECK(recover::parse_drills(
            drills, [](const std::string&) { return true; }, none)
            .empty());
  CHECK(none.text() == "");
}
