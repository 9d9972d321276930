// Performance data of monitoring plugins: text|'label'=value[unit];warn;crit;min;max …
// https://nagios-plugins.org/doc/guidelines.html, "Performance data".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace probe {

struct PluginValue {
  std::string label;
  double value = 0;
  std::string unit;  // base units: seconds, bytes; "%", "c" or "" as they came
};

struct PluginOutput {
  std::string text;  // first line, before the bar
  std::vector<PluginValue> values;
};

// Pieces that cannot be read ("U" for unknown, rubbish) are left out.
PluginOutput parse_plugin_output(std::string_view out);

}  // namespace probe
