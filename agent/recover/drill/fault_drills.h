// Rehearses faults of services: when each is due or a person asks, one at a time, never while something is wrong, and
// never without a slot. What an agent that died has left is undone before anything else. Loop thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loop/handle.h"
#include "recover/drill/fault_drill.h"
#include "recover/drill/fault_drill_spec.h"
#include "recover/drill/fault_injection.h"
#include "recover/plan/slots.h"

namespace state {
class State;
}  // namespace state

namespace recover {

struct FaultDrillStatus {
  std::string service;
  Fault fault = Fault::hang;
  std::string name{};  // in the configuration; "": by hand only
  FaultRecord record{};
  std::string doing{};                           // "": nothing
  std::optional<base::WallTime> due{};           // when it may begin next, by its schedule
  std::optional<base::WallTime> must_pass_by{};  // an alert says so after that
};

struct FaultDrillContext {
  loop::Scheduler& scheduler;
  os::Systemd& systemd;
  Slots& slots;
};

struct FaultDrillCallbacks {
  std::function<std::optional<FaultTarget>(const std::string& service)> target;  // nullopt: there is no such service
  // Why a drill of the service may not begin now, or has to end: "payment is in maintenance"; or "".
  std::function<std::string(const std::string&service)> held, ended;
  // "order.service was stopped …", if people did that: then it is not started again.
  std::function<std::string(const FaultTarget& target)> stopped;
  std::function<void(const FaultTarget& target, Fault fault)> begins;             // the fault is about to be there
  std::function<void(const FaultTarget& target, Fault fault)> is_over;            // it is undone
  std::function<void(const std::string& service, const std::string& text)> tell;  // its receivers
  std::function<std::map<std::string, std::string>()> untaken;  // who of those has not taken it yet, and why
  std::function<bool(const std::string& service)> quiet;        // no alert of it fires
  std::function<void(const std::string& service, Fault fault, const FaultReport&)> on_report;
  std::function<void()> on_change;
};

// When a drill may begin after what is known of it, whether a window is open or not. Pure.
base::WallTime due_at(const FaultDrillSpec& spec, const FaultRecord& record);

class FaultDrills {
 public:
  // Begins to undo what an agent before this one left. `state` outlives it.
  FaultDrills(FaultDrillContext context, state::State& state, FaultDrillCallbacks callbacks);
  ~FaultDrills();

  void replace(std::vector<ConfiguredFault> drills);

  // For a person, at any time. `done` once the fault is about to begin, with a sentence; or with why it does not.
  using Done = std::function<void(base::Result<std::string>)>;
  void run(const std::string& service, Fault fault, Done done);
  // The same for one of the configuration, by its name. False: there is none of this name.
  bool run(const std::string& name, const Done& done);
  bool has(const std::string& name) const;

  // What the drill watches.
  void on_health(const std::string& service, bool up);
  void on_evidence(const std::string& service);
  void on_report(const model::RecoveryReport& report);
  void on_blocked(const std::string& service, const std::string& guard);
  void on_delivery();

  // The fault that is rehearsed at the service now.
  std::optional<Fault> rehearsed(const std::string& service) const;
  std::string running() const;  // "the drill hang of order is under way"; ""
  // The agent ends: what is there is undone, for kLast at the longest.
  static constexpr base::Millis kLast{3'000};
  void finish(std::function<void()> done);

  std::vector<FaultDrillStatus> statuses() const;

 private:
  struct Left;
  struct Running;

  void undo(Left& left);
  void look();
  void ask_slot(const FaultTarget& target, Fault fault, Done done);
  void begin(const FaultTarget& target, Fault fault);
  void tick();
  void carry_out(const FaultDrill::Effects& effects);
  void undo_running();
  void close();
  FaultRecord& record_of(const std::string& service, Fault fault);
  FaultDrill::At now() const;

  FaultDrillContext context_;
  state::State& state_;
  FaultDrillCallbacks callbacks_;
  std::vector<ConfiguredFault> configured_;
  std::map<std::pair<std::string, Fault>, FaultRecord> records_;
  std::map<std::string, std::unique_ptr<Left>> left_;  // by service
  std::unique_ptr<Running> running_;
  std::string asking_;  // service for which a slot is asked; ""
  Done asked_by_;
  base::Instant not_before_{};
  std::map<std::string, std::string> waits_;  // why a drill that is due does not begin, by name: logged once
  std::function<void()> finished_;
  loop::Handle timer_, tick_, slot_, retired_, last_;
};

}  // namespace recover
