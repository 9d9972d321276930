// What an action type is: one file in types/ and one line in types.def.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "loop/handle.h"
#include "model/action_report.h"

namespace config {
class Errors;
struct KeyReference;
class Node;
}  // namespace config

namespace http {
class HttpClient;
}  // namespace http

namespace loop {
class Scheduler;
}  // namespace loop

namespace os {
class Logind;
class PidWatcher;
class Spawner;
class Systemd;
}  // namespace os

namespace recover {

using model::ActionStatus;

class Recorder;
class TrafficController;

struct Context {
  loop::Scheduler& scheduler;
  os::Systemd& systemd;
  os::Spawner& spawner;
  std::function<void(const std::string& service, const std::string& text)> page;  // for the alert action
  TrafficController* traffic_controller = nullptr;                                // null: no service has traffic
  // Of single actions; null only where a test does not use them.
  http::HttpClient* http = nullptr;
  os::PidWatcher* pids = nullptr;
  os::Logind* logind = nullptr;
  Recorder* recorder = nullptr;  // null: no evidence is gathered
};

// What the action is told about the recovery that it is a part of.
struct Trigger {
  std::string recovery_id;
  std::string service;
  std::string unit;
  std::string node;
  int attempt = 1;
  std::string event_json;  // the alert, service and reason: standard input of commands
  // Why people want the run stopped, if they do by now. An action that makes more than one change, or that waits before
  // it makes one, asks before each.
  std::function<std::optional<std::string>()> stopped = [] { return std::optional<std::string>(); };
};

struct ActionResult {
  ActionStatus result = ActionStatus::none;
  std::string text;
  bool own_want = false;  // nothing was done, because the agent itself had no descriptor or task left for it
};

struct SystemdJob {
  std::string verb, unit;  // unit "": of the whole node, such as reboot
};

// A configured action. Const and shared by runs; a run is the Handle.
class Action {
 public:
  virtual ~Action() = default;
  // `done` once, in a later turn, at the latest soon after the deadline. Dropping the Handle stops waiting (a job that
  // systemd has started goes on there; a command's process tree is killed).
  virtual loop::Handle run(const Context& context, const Trigger& trigger, base::Instant deadline,
                           std::function<void(ActionResult)> done) const = 0;
  virtual std::string text() const = 0;  // "systemd restart"
  // Whether the service may be healthy because of it; an action that only tells people is no reason to verify.
  virtual bool may_heal() const { return true; }
  // Whether it only takes traffic away or gives it back: what a run that is stopped still does.
  virtual bool moves_traffic() const { return false; }
  // Whether it interrupts the service, for which a run needs a slot.
  virtual bool disrupts() const { return may_heal(); }
  // The unit that must be there and startable for it to work, if it asks for a job on one or signals its process.
  virtual std::string needed_unit() const { return ""; }
  // What it works on beside the unit, named alike in all services: two actions of one target do not run beside each
  // other. A command has none: many services share one, which goes by FETTLE_SERVICE.
  virtual std::string target() const { return ""; }
  // Whether it can tell that people have stopped what it works on, where no unit does.
  virtual bool knows_stops() const { return false; }
  // `done` once, in a later turn, at the latest at the deadline: what a person should know, or "" if nobody has stopped
  // it or that is not known. What stopped before `acted`, or has not run since, was perhaps stopped by a plan.
  virtual loop::Handle ask_stopped(const Context& context, std::optional<base::WallTime> acted, base::Instant deadline,
                                   std::function<void(std::string)> done) const;
  // Whether it leaves that stopped: then a plan that has it cannot tell people's stop from its own.
  virtual bool leaves_stopped() const { return false; }
  // The plan itself waits here, until a person approves or the step's time is over; run() is not called.
  virtual bool waits_for_person() const { return false; }
  // What it asks of systemd, if it does: the polkit rule is made of these.
  virtual std::optional<SystemdJob> systemd_job() const { return std::nullopt; }
};

struct ActionOwner {
  std::string service;
  std::string unit;
  bool may_fail = false;       // the plan goes on without it: a finally step, or on_failure: continue
  bool has_traffic = false;    // that could be moved
  base::Millis slow_start{0};  // of undrain
  bool may_reboot = false;     // the service's allow_reboot
};

struct ActionType {
  std::string_view name;  // the key under `do`
  std::string_view summary;
  std::string_view example;  // a complete value of `do`
  std::unique_ptr<const Action> (*parse)(const config::Node& node, const std::string& path, const ActionOwner& owner,
                                         config::Errors& errors);
  const std::vector<config::KeyReference>& (*reference)() = nullptr;  // null: the value has no keys
};

}  // namespace recover
