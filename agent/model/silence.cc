#include "model/silence.h"

namespace model {

std::string_view to_string(SilenceState state) {
  switch (state) {
    case SilenceState::active: return "active";
    case SilenceState::pending: return "pending";
    case SilenceState::expired: return "expired";
  }
  return "expired";
}

SilenceState Silence::state(base::WallTime now) const {
  if (now >= ends_at) return SilenceState::expired;
  return now < starts_at ? SilenceState::pending : SilenceState::active;
}

std::string to_string(const std::vector<Matcher>& matchers) {
  std::string out;
  for (const Matcher& matcher : matchers) {
    if (!out.empty()) out += ", ";
    out += matcher.to_string();
  }
  return out;
}

}  // namespace model
