// Incidents with all that they ask: services, their health, alerts and runs.
#pragma once

#include <doctest/doctest.h>

#include <fmt/format.h>

#include "fakes/fake_loop.h"
#include "fakes/fake_state.h"
#include "incident/incidents.h"

using model::AlertState;
using model::Health;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

struct World {
  fakes::FakeLoop loop;
  fakes::FakeState state;
  std::map<std::string, incident::Facts> facts;
  std::map<model::Labels, model::Alert> known;
  std::vector<model::RecoveryReport> runs;  // that recovery has written down
  std::vector<std::string> told;  // "order held", "order told", "order healed" …: what on_changed says, once each
  std::vector<std::string> ended;
  int changes = 0;  // calls of on_changed
  std::unique_ptr<incident::Incidents> incidents;

  explicit World(fakes::FakeState::Tables left = {}) : state(loop, std::move(left)) {
    service("redis");
    service("order", {"redis"});
    service("gateway", {"order"});
    start();
  }
  void service(const std::string& name, std::vector<std::string> depends_on = {}) {
    incident::Facts& f = facts[name];
    f.configured = true;
    f.depends_on = std::move(depends_on);
    f.answer.mode = model::RecoveryMode::enforce;
  }
  void start(std::uint64_t seed = 1) {
    incident::Callbacks callbacks;
    callbacks.on_changed = [this](const model::Incident& i) {
      const std::string end(model::to_string(i.end));
      const std::string now = fmt::format("{} {}", i.service,
                                          i.announced    ? "announced"
                                          : !end.empty() ? end
                                          : i.told       ? "told"
                                                         : "held");
      if (told.empty() || told.back() != now) told.push_back(now);
      ++changes;
    };
    callbacks.on_ended = [this](const model::Incident& i) {
      ended.push_back(
          fmt::format("{} {} {}", i.service, model::to_string(i.end), base::format_duration(*i.ended - i.started)));
    };
    incidents = std::make_unique<incident::Incidents>(
        incident::Options{base::Random(seed)}, loop, state, [this](const std::string& name) { return facts[name]; },
        callbacks);
    incidents->settle(known, runs);
    loop.run_due();
  }
  void health(const std::string& name, Health to) {
    incident::Facts& f = facts[name];
    const Health from = std::exchange(f.health, to);
    f.answer.wanted = to == Health::down;
    f.cause = {};
    if (to == Health::down) f.cause = {"http", "refused", "connect: refused", "127.0.0.1:8081", "", 0};
    incidents->on_health({name, "", from, to, model::Reason::none, "", loop.wall_now()}, loop.wall_now());
    loop.run_due();
  }
  void alert(const std::string& service, AlertState to, const std::string& name = "ServiceDown") {
    model::AlertTransition t;
    t.alert.labels = model::Labels{{"alertname", name}, {"service", service}};
    t.alert.state = to;
    t.alert.active_at = t.at = loop.wall_now();
    t.alert.fired_at = t.at;
    if (to == AlertState::inactive) t.alert.resolved_at = t.at;
    t.from = to == AlertState::firing ? AlertState::pending : AlertState::firing;
    known[t.alert.labels] = t.alert;
    if (to == AlertState::firing && name == "ServiceDown") facts[service].answer.wanted = true;
    incidents->on_alerts({t});
    loop.run_due();
  }
  void run(const std::string& service, model::RecoveryState how, const std::string& id = "r1", bool ended_now = true) {
    model::RecoveryReport r;
    r.id = id;
    r.service = service;
    r.mode = model::RecoveryMode::enforce;
    r.trigger = "alert ServiceDown";
    r.state = how;
    r.attempt = 1;
    r.started = loop.wall_now();
    r.actions.push_back({"systemd restart " + service, model::ActionStatus::ok, "", loop.wall_now(), {}, true});
    if (ended_now) r.ended = loop.wall_now();
    incidents->on_report(r);
    loop.run_due();
  }
  void fail(const std::string& name) {
    health(name, Health::down);
    alert(name, AlertState::firing);
  }
  void mend(const std::string& name) {
    health(name, Health::up);
    alert(name, AlertState::inactive);
  }
  std::vector<model::Incident> all() const {
    std::vector<model::Incident> out;
    for (const auto& each : incidents->newest_first()) out.push_back(*each);
    return out;
  }
};

}  // namespace
