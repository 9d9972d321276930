// What a crash left of recoveries: intents of runs that did not end, alerts that waited for their plan. Each goes to
// its plan when that is configured; the rest is closed and said, never left behind. Loop thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "recover/firing_alerts.h"
#include "recover/plan/plan_spec.h"
#include "recover/plan/run.h"
#include "recover/recovery_store.h"
#include "recover/reports.h"

namespace recover {

class UnfinishedRuns {
 public:
  explicit UnfinishedRuns(RecoveryStore& store) : store_(store) {}

  void read(FiringAlerts& alerts, Reports& reports);
  // Once per plan. A run whose record cannot be read is dropped, and its attempt stays counted.
  std::optional<Run> run_of(const PlanSpec& spec);
  // Once per service: its alert waited, and whether the service was down then.
  std::optional<bool> waited(const std::string& service);
  // Those that acted and have not been taken up yet: the service, and the id of the run or "" if it cannot be read.
  std::vector<std::pair<std::string, std::string>> acting() const;
  // No plan takes the rest: closes it.
  void close(base::WallTime now, Reports& reports);

 private:
  RecoveryStore& store_;
  std::map<std::string, std::string> runs_;  // by key of the store
  std::map<std::string, bool> waiting_;
};

}  // namespace recover
