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
  base::Millis until_healthy{0};  // it ends before that when the service of its matchers was up for so long; 0: never

  SilenceState state(base::WallTime now) const;
};

// What a person asks for.
struct SilenceRequest {
  std::vector<Matcher> matchers;
  std::string author, comment;
  std::optional<base::WallTime> starts_at, ends_at;  // default: now; `length` after the start
  base::Millis length{3'600'000};
  base::Millis until_healthy{0};  // needs the matcher service="…"
};

// The one service that its matchers name with =; "" if they do not.
std::string service_of(const std::vector<Matcher>& matchers);
// service="order", severity=~"page|ticket"
std::string to_string(const std::vector<Matcher>& matchers);

}  // namespace model
