// Runs the plans of the node: a firing alert starts one, guards say yes or name the reason, the intent is durable
// before the action, probes verify, steps escalate, exhaustion is loud. Loop thread. One plan per service
// at a time, and no more on the node than its limits allow.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "model/action_report.h"
#include "model/alert.h"
#include "model/health.h"
#include "recover/action.h"
#include "recover/plan/explain.h"
#include "recover/plan/node_budget.h"
#include "recover/plan/plan_spec.h"
#include "recover/plan/slots.h"
#include "recover/reports.h"
#include "recover/service_view.h"

namespace state {
class State;
}  // namespace state

namespace recover {

enum class Start { now, rehearsal };  // rehearsal: only says what `now` would do

struct Options {
  std::string node;
  std::uint64_t seed = 0;  // of the jitter
  NodeLimits limits{};
  Slots* slots = nullptr;  // outlives the Dispatcher; null: those of the node alone, as limits.plans_at_once says
};

// Whether a rollout may begin its part now. later: a guard that is asked again. never: only people change that.
struct Readiness {
  Heed closed = Heed::no;
  std::string text{};  // the guard, or what the plan lacks
};

class Dispatcher {
 public:
  // Reads budgets and unfinished intents from `state`: what was cut off in mid-action is probed first, then finished.
  Dispatcher(Options options, Context context, state::State& state, ServiceView& service_view, Callbacks callbacks);
  ~Dispatcher();

  void replace(std::vector<std::unique_ptr<PlanSpec>> plans);
  void limit(NodeLimits limits);
  void on_alert(const model::AlertTransition& transition);
  // After every run of any probe: verification counts those of the service, a recheck waits for those of dependencies.
  void on_run(const std::string& service, const std::string& probe, bool up);
  void on_health(const model::HealthChange& change);
  // Names of the alerts that rules make now: a run for one that is not among them any more is stopped.
  void know_alerts(const std::set<std::string>& names);
  // Durable; `done` after fsync, with a sentence about the recovery that is under way, "" for none. While on, nothing
  // starts for the service: the action that runs comes to its end, no further step follows, and what was drained is
  // given back.
  void begin_maintenance(const std::string& service, MaintenanceEnd end, const std::string& comment,
                         std::function<void(base::Result<std::string>)> done);
  void end_maintenance(const std::string& service, std::function<void(base::Result<>)> done);
  // Ends those that wait for the service to be healthy, where it has been for long enough.
  void end_maintenance_where_healthy(const UpSince& up_since);
  std::optional<std::string> maintenance(const std::string& service) const;  // who and why, or which window
  std::optional<std::string> paused(const std::string& service) const;  // which pause file is there; "": the node's

  // A person starts the plan, in mode ask or enforce with all its actions, in mode dry_run without. Spends an attempt.
  // `done` after the intent is durable, with a sentence for the person; or with the guard that is closed to them
  // (first_closed_to_person), "under way", not_found, or a disk that is full: then nothing was done.
  void recover(const std::string& service, Start how, const std::string& comment,
               std::function<void(base::Result<std::string>)> done);
  // A part of a rollout: of the plan's steps the one that `word` means (PlanSpec::step_of), with those before it that
  // heal nothing, its verification, and `finally`. Guards and budgets hold (first_closed_to_rollout), also in mode ask;
  // in mode dry_run never. `trigger` is what its report says it is for; nothing is said of one that did not begin.
  Readiness ready_for_rollout(const std::string& service, const std::string& word) const;
  void roll_out(const std::string& service, const std::string& word, const std::string& trigger,
                std::function<void(base::Result<std::string>)> done);
  // A person stops what is under way, in the same way, and what waits; nothing more is done for the alert that fires
  // until it has resolved, or recover(), or ack(). `done` after fsync, with a sentence about what still happens; or
  // not_found, or invalid: nothing is under way, or its end is.
  void abort(const std::string& service, const std::string& comment,
             std::function<void(base::Result<std::string>)> done);
  // A drill stops the unit of the service, until it is over: that is a fault, and no stop by people.
  enum class Drilled { no, yes };
  void drill(const std::string& service, const std::string& unit, Drilled drilled);
  // In words: the unit was stopped, or is being stopped, by others than the agent. Nothing: it was not.
  std::optional<std::string> stopped(const std::string& service, const std::string& unit) const;
  // A person says that the cause is mended: opens the latch of an exhausted plan and gives the whole budget back. In
  // effect at once, also for an alert that waits; `done` after fsync.
  void ack(const std::string& service, const std::string& comment, std::function<void(base::Result<>)> done);

  std::vector<PlanStatus> statuses() const;
  std::optional<PlanStatus> status(const std::string& service) const;  // nullopt: it has no plan
  int node_actions_left() const;                                       // of the node's budget
  std::vector<model::RecoveryReport> reports() const;                  // newest first, up to 100

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace recover
