// What of recovery is durable, under which key and in which commit: budgets, intents, alerts that wait, reports. Dry
// run keeps records of its own, so that it spends nothing that enforce would miss. Loop thread.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/action_report.h"
#include "recover/plan/budget.h"
#include "recover/plan/plan.h"
#include "recover/plan/plan_spec.h"
#include "recover/plan/run.h"
#include "state/state.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace recover {

class RecoveryStore {
 public:
  static constexpr std::size_t kReports = 100;  // so many of those that ended are kept

  RecoveryStore(state::State& state, loop::Scheduler& scheduler) : state_(state), scheduler_(scheduler) {}

  // Under which its budget and its intents are kept.
  static std::string key_of(const PlanSpec& spec);
  static bool is_dry_run(std::string_view key);

  // A record that cannot be read counts as used up; without one all is free, unless records were lost.
  BudgetUsage usage(const PlanSpec& spec) const;
  std::map<std::string, std::string> intents() const { return state_.read(state::Table::intents); }
  // Newest first.
  std::deque<model::RecoveryReport> reports() const;
  // Alerts that waited for their recovery, by service: the alert, and whether the service was down.
  std::map<std::string, Run> waiting() const;

  // Changes that belong into one commit.
  std::vector<state::Change> intent(const Plan& plan) const;    // the run and what it has spent
  std::vector<state::Change> progress(const Plan& plan) const;  // the run only
  std::vector<state::Change> budget(const Plan& plan) const;    // what is spent and whether an alert waits
  std::vector<state::Change> close(const Plan& plan) const;     // no intent any more; the budget and the report stay
  // An intent that no plan takes up.
  std::vector<state::Change> orphan(const std::string& key, const std::optional<model::RecoveryReport>& report) const;

  // A commit that is not waited for; an error is logged with `what`.
  void write(std::vector<state::Change> changes, std::string_view what);

 private:
  void keep_report(const model::RecoveryReport& report, std::vector<state::Change>& changes) const;

  state::State& state_;
  loop::Scheduler& scheduler_;
};

}  // namespace recover
