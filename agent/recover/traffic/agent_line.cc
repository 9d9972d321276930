#include "recover/traffic/agent_line.h"

#include <fmt/format.h>

#include <algorithm>

namespace recover::traffic {
namespace {

constexpr std::size_t kLongest = 120;  // of a description

// The line ends at the first control character, and HAProxy's page is no place for other bytes than ASCII.
std::string description(std::string text) {
  text.resize(std::min(text.size(), kLongest));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, ' ');
  return text;
}

}  // namespace

std::string agent_line(const DesiredState& desired, const AgentWords& words) {
  if (desired.flow == Flow::drained) return words.drained + "\n";
  if (desired.health == model::Health::unknown) return "\n";
  if (desired.health == model::Health::up)
    return fmt::format("up ready {}%\n", std::clamp(desired.share, 1, DesiredState::kAll));
  const std::string why = description(desired.text);
  return why.empty() ? words.down + "\n" : fmt::format("{} # {}\n", words.down, why);
}

}  // namespace recover::traffic
