// A silence: for some time, alerts with certain labels are not told. Alertmanager's words.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/matcher.h"

namespace model {

enum class SilenceState { active, pending, expired };

std::string_view to_string(SilenceState state);
std::optional<SilenceState> parse_silence_state(std::string_view word);

struct Silence {
  std::string id;
  std::vector<Matcher> matchers;  // all of them must match
  std::string author, comment;    // who and why
  base::WallTime starts_at{}, ends_at{}, updated_at{};

  SilenceState state(base::WallTime now) const;
};

// What a person asks for.
struct SilenceRequest {
  std::vector<Matcher> matchers;
  std::string author, comment;
  std::optional<base::WallTime> starts_at, ends_at;  // default: now; `length` after the start
  base::Millis length{3'600'000};
};

// service="order", severity=~"page|ticket"
std::string to_string(const std::vector<Matcher>& matchers);

}  // namespace model
