// The alerts of one alerting rule from evaluation to evaluation: a pure state machine, without a scheduler or a store.
// An alert is its full label set. inactive → pending → firing → inactive (resolved, remembered for 15 minutes);
// `for` and `keep_firing_for` are spans of time, never counts of evaluations (prometheus rules/alerting.go).
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "base/time.h"
#include "model/alert.h"

namespace rules {

struct AlertTiming {
  base::Millis for_duration{0};
  base::Millis keep_firing_for{0};
};

// One element of the rule's result: the alert it stands for.
struct FoundAlert {
  model::Labels labels;  // no two of one evaluation are equal
  model::Labels annotations;
  double value = 0;
};

// What one evaluation changed.
struct AlertChanges {
  std::vector<model::AlertTransition> transitions;  // what people and plans hear of, in order of labels
  std::vector<model::Labels> touched;               // alerts whose record changed, the forgotten ones included
};

class AlertState {
 public:
  static constexpr base::Millis kResolvedRetention{15 * 60'000};
  // True for an alert whose data are not back yet after a restart: it stays as it is although nothing was found.
  using Hold = std::function<bool(const model::Alert&)>;

  AlertChanges evaluate(const std::vector<FoundAlert>& found, base::WallTime at, AlertTiming timing,
                        const Hold& hold = {});
  // Everything is forgotten at once; what was pending or firing says so.
  AlertChanges clear(base::WallTime at);
  // Puts an alert of an earlier life back; one with these labels that is there already stays.
  void restore(model::Alert alert);
  // The wall clock was set: instants move with it, so that spans of time stay what they were.
  void shift(base::Millis by);

  // By labels; resolved ones included.
  const std::map<model::Labels, model::Alert>& alerts() const { return alerts_; }
  std::size_t active() const;  // pending and firing

 private:
  void lost(model::Alert& alert, base::WallTime at, AlertTiming timing, AlertChanges& changes);

  std::map<model::Labels, model::Alert> alerts_;
};

}  // namespace rules
