#include "model/silence.h"

#include <array>
#include <utility>

#include "base/enum_names.h"

namespace model {
namespace {

constexpr std::array kNames{
    std::pair{SilenceState::active, "active"},
    std::pair{SilenceState::pending, "pending"},
    std::pair{SilenceState::expired, "expired"},
};

}  // namespace

std::string_view to_string(SilenceState state) { return base::name_in(kNames, state); }
std::optional<SilenceState> parse_silence_state(std::string_view word) { return base::value_in(kNames, word); }

SilenceState Silence::state(base::WallTime now) const {
  if (now >= ends_at) return SilenceState::expired;
  return now < starts_at ? SilenceState::pending : SilenceState::active;
}

std::string service_of(const std::vector<Matcher>& matchers) {
  for (const Matcher& matcher : matchers)
    if (matcher.name() == "service" && matcher.op() == MatchOp::equal) return matcher.value();
  return "";
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
