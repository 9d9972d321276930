// The alerts of the node that fire now, and which of them a plan is for. Pure.
#pragma once

#include <map>

#include "model/alert.h"
#include "recover/plan/plan_spec.h"

namespace recover {

// By its service and the labels under `when`. A plan that goes by health is for none.
bool is_for(const PlanSpec& spec, const model::Alert& alert);

class FiringAlerts {
 public:
  // An alert changed its state. Whether that says anything new: one that ends without having fired does not.
  bool note(const model::Alert& alert);
  // One that fired before a restart and has not been heard of since.
  void remember(const model::Alert& alert) { all_.try_emplace(alert.labels, alert); }
  // The first that the plan is for, or null.
  const model::Alert* of(const PlanSpec& spec) const;

 private:
  std::map<model::Labels, model::Alert> all_;
};

}  // namespace recover
