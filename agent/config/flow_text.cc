#include "config/flow_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/ascii.h"

namespace config {
namespace {

// Numbers, durations, true and words like them stay as they are: in quotes a number is none any more.
bool is_plain(const Node& scalar) {
  const std::string& text = scalar.scalar();
  const auto harmless = [](char c) { return base::is_alphanumeric(c) || c == '.' || c == '_' || c == '+' || c == '-'; };
  const bool begins_well =
      base::is_alphanumeric(text[0]) || (text.size() > 1 && text[0] == '-' && base::is_alphanumeric(text[1]));
  return !scalar.quoted() && begins_well && std::all_of(text.begin(), text.end(), harmless);
}

void append(std::string& out, const Node& node) {
  const char* separator = "";
  if (node.is_sequence()) {
    out += '[';
    for (const Node& item : node.items()) {
      out += std::exchange(separator, ", ");
      append(out, item);
    }
    out += ']';
  } else if (node.is_mapping()) {
    out += '{';
    for (const auto& [key, value] : node.entries()) {
      const std::string name = quoted_text(key.scalar());
      out += std::exchange(separator, ", ") + (is_long_key(name) ? "? " + name + " : " : name + ": ");
      append(out, value);
    }
    out += '}';
  } else if (node.is_null()) {
    out += "null";
  } else {
    out += is_plain(node) ? node.scalar() : quoted_text(node.scalar());
  }
}

}  // namespace

std::string quoted_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) out += fmt::format("\\x{:02x}", c);
    else out += c;
  }
  return out + '"';
}

bool is_long_key(std::string_view key) { return key.size() > 1'000; }

std::string flow_text(const Node& node) {
  std::string out;
  append(out, node);
  return out;
}

}  // namespace config
