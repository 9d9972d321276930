#include "probe/host/perfdata.h"

#include <cmath>
#include <utility>

#include "base/number.h"

namespace probe {
namespace {

struct Unit {
  std::string_view name;
  std::string_view base;
  double factor;
};
constexpr Unit kUnits[] = {
    {"s", "seconds", 1},
    {"ms", "seconds", 1e-3},
    {"us", "seconds", 1e-6},
    {"B", "bytes", 1},
    {"KB", "bytes", 1024.0},
    {"MB", "bytes", 1024.0 * 1024},
    {"GB", "bytes", 1024.0 * 1024 * 1024},
    {"TB", "bytes", 1024.0 * 1024 * 1024 * 1024},
};

constexpr std::string_view kWhite = " \t\r\n";

// Takes 'quoted label' or label up to its equals sign off the front. False if there is none.
bool take_label(std::string_view& rest, std::string& label) {
  label.clear();
  if (rest[0] != '\'') {
    const std::size_t equals = rest.find('=');
    if (equals == std::string_view::npos || rest.substr(0, equals).find_first_of(kWhite) != std::string_view::npos)
      return false;
    label = rest.substr(0, equals);
    rest.remove_prefix(equals + 1);
    return !label.empty();
  }
  for (rest.remove_prefix(1); !rest.empty(); rest.remove_prefix(1)) {
    if (rest[0] == '\'') {
      const bool escaped = rest.size() > 1 && rest[1] == '\'';
      rest.remove_prefix(1);
      if (!escaped) break;
    }
    label += rest[0];
  }
  if (rest.empty() || rest[0] != '=') return false;
  rest.remove_prefix(1);
  return !label.empty();
}

void parse_values(std::string_view rest, std::vector<PluginValue>& out) {
  while (true) {
    rest.remove_prefix(std::min(rest.find_first_not_of(kWhite), rest.size()));
    if (rest.empty()) return;
    PluginValue value;
    const bool labelled = take_label(rest, value.label);
    const std::string_view word = rest.substr(0, rest.find_first_of(kWhite));
    rest.remove_prefix(word.size());
    if (!labelled) continue;
    std::string_view first = word.substr(0, word.find(';'));
    const auto number = base::take_number<double>(first);
    // What is left is the unit, and none has digits, signs of numbers or quotes: 0,23 is no 0 of the unit ",23".
    const bool broken = first.find_first_of("0123456789.,:_+-'\"") != std::string_view::npos;
    if (!number || !std::isfinite(*number) || broken) continue;
    value.value = *number;
    value.unit = first;
    for (const Unit& unit : kUnits) {
      if (value.unit != unit.name) continue;
      value.value *= unit.factor;
      value.unit = unit.base;
      break;
    }
    out.push_back(std::move(value));
  }
}

}  // namespace

PluginOutput parse_plugin_output(std::string_view out) {
  PluginOutput plugin;
  const std::size_t first_end = std::min(out.find('\n'), out.size());
  const std::string_view first = out.substr(0, first_end);
  const std::size_t bar = first.find('|');
  std::string_view text = first.substr(0, bar);
  while (!text.empty() && kWhite.find(text.back()) != std::string_view::npos) text.remove_suffix(1);
  plugin.text = text;
  if (bar != std::string_view::npos) parse_values(first.substr(bar + 1), plugin.values);
  // Long output may carry more of it behind a second bar.
  const std::string_view more = out.substr(first_end);
  if (const std::size_t second = more.find('|'); second != std::string_view::npos)
    parse_values(more.substr(second + 1), plugin.values);
  return plugin;
}

}  // namespace probe
