// What recoveries have to say: the newest reports for pages, the log, the counters of the app, a page for people. A dry
// run is told as the real thing, but no page is sent for it. Loop thread.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "model/action_report.h"
#include "recover/plan/guard_name.h"
#include "recover/plan/plan_spec.h"

namespace recover {

struct Callbacks {
  std::function<void(const model::RecoveryReport&)> on_report;  // at start, after each action, at the end
  std::function<void(const std::string& service, const std::string& action, ActionStatus result, RecoveryMode mode)>
      on_action;
  std::function<void(const std::string& service, GuardName reason)> on_blocked;  // once per change of reason
};

class Reports {
 public:
  using Page = std::function<void(const std::string& service, const std::string& text)>;

  Reports(Callbacks callbacks, Page page) : callbacks_(std::move(callbacks)), page_(std::move(page)) {}

  // Those of before a restart, newest first: not told again.
  void restore(std::deque<model::RecoveryReport> before) { all_ = std::move(before); }
  std::vector<model::RecoveryReport> newest_first() const { return {all_.begin(), all_.end()}; }

  void say(const model::RecoveryReport& report);           // a new one, or one that has got further
  void action_ended(const model::RecoveryReport& report);  // its newest action
  void blocked(const std::string& service, GuardName reason);
  void page(const PlanSpec& spec, const std::string& text);
  void exhausted(const PlanSpec& spec, const std::string& text);

 private:
  Callbacks callbacks_;
  Page page_;  // null: no page is sent
  std::deque<model::RecoveryReport> all_;
};

}  // namespace recover
