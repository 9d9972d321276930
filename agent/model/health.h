// The verdict about a probe or a service after thresholds. Unknown is not down: nothing acts on it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "model/outcome.h"

namespace model {

enum class Health { unknown, up, down };

std::string_view to_string(Health health);
std::optional<Health> parse_health(std::string_view word);

// A probe's or service's health changed. `probe` is empty for the service as a whole.
struct HealthChange {
  std::string service;
  std::string probe;
  Health from = Health::unknown;
  Health to = Health::unknown;
  Reason reason = Reason::none;  // why it is down; none otherwise
  std::string text;
  base::WallTime at{};
};

}  // namespace model
