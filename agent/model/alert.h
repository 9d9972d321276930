// An alert as rules make it and as recovery, notification and pages read it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "model/labels.h"

namespace model {

enum class AlertState { inactive, pending, firing };

std::string_view to_string(AlertState state);
std::optional<AlertState> parse_alert_state(std::string_view word);

struct Alert {
  Labels labels;       // with alertname; external labels not included. Identity of the alert
  Labels annotations;  // expanded
  AlertState state = AlertState::inactive;
  double value = 0;
  base::WallTime active_at{};  // first evaluation in which the expression held
  std::optional<base::WallTime> fired_at;
  std::optional<base::WallTime> resolved_at;  // set when state went back to inactive after firing
  std::optional<base::WallTime> keep_firing_since;
  std::string generator_url;  // where the expression can be looked at

  std::string_view name() const { return labels.get("alertname"); }
  std::string_view service() const { return labels.get("service"); }
};

// One change of one alert: how it is now, and its state before.
struct AlertTransition {
  Alert alert;
  AlertState from = AlertState::inactive;
  base::WallTime at{};
};

}  // namespace model
