#include "app/node/probe_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "config/flow_text.h"

namespace app {

std::string yaml_text(const std::string& text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._-/").find(c) != std::string_view::npos;
  });
  if (plain || (text.starts_with('[') && text.ends_with(']'))) return text;
  return config::quoted_text(text);
}

std::string probe_text(const ChosenProbe& probe, const std::string& name) {
  std::string out = fmt::format("{{name: {}, type: {}", yaml_text(name), probe.type);
  for (const auto& [key, value] : probe.keys) out += fmt::format(", {}: {}", key, yaml_text(value));
  return out + "}";
}

}  // namespace app
