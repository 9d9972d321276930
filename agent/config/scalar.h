// How one value is read from a Node and shown as a default in the reference. A reader returns false with `why`:
// what was expected and what was found, without a place ("expected a duration such as 500ms or 2s, got '5'").
// Other modules add overloads of read() and show() for their own enums beside the enum; Schema finds them by the type.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "base/time.h"
#include "config/node.h"
#include "model/labels.h"

namespace config {

bool read(const Node& node, std::string& out, std::string& why);
bool read(const Node& node, bool& out, std::string& why);  // true, false only
bool read(const Node& node, int& out, std::string& why);   // decimal; yaml's 0x10 and 1_000 are refused
bool read(const Node& node, std::int64_t& out, std::string& why);
bool read(const Node& node, std::size_t& out, std::string& why);
bool read(const Node& node, double& out, std::string& why);
bool read(const Node& node, base::Millis& out,
          std::string& why);  // Prometheus durations; a bare number but 0 is refused
bool read(const Node& node, base::Secret& out, std::string& why);
bool read(const Node& node, model::Labels& out, std::string& why);  // a mapping of label names to strings
bool read(const Node& node, Node& out, std::string& why);           // anything, parsed later by the type that owns it
bool read(const Node& node, std::map<std::string, std::string>& out, std::string& why);

std::string show(const std::string& value);
std::string show(bool value);
std::string show(int value);
std::string show(std::int64_t value);
std::string show(std::size_t value);
std::string show(double value);
std::string show(base::Millis value);
std::string show(const base::Secret& value);
std::string show(const model::Labels& value);
std::string show(const Node& value);
std::string show(const std::map<std::string, std::string>& value);

// [a-zA-Z_][a-zA-Z0-9_]*, as Prometheus has them.
bool is_label_name(std::string_view name);

// "expected a number, got a list" and the like; "has no value: expected a number" for an empty one.
std::string expected(std::string_view what, const Node& got);
// For enums: names in order; the message lists them and suggests the nearest.
bool read_one_of(const Node& node, const std::vector<std::string>& names, std::size_t& index, std::string& why);

template <typename T>
bool read(const Node& node, std::vector<T>& out, std::string& why) {
  if (!node.is_sequence()) {
    why = expected("a list", node);
    return false;
  }
  std::size_t at = 0;
  for (const Node& item : node.items()) {
    T value{};
    if (!read(item, value, why)) {
      why = "item " + std::to_string(at) + ": " + why;
      return false;
    }
    out.push_back(std::move(value));
    ++at;
  }
  return true;
}

template <typename T>
std::string show(const std::vector<T>& value) {
  std::string out = "[";
  for (const T& item : value) out += (out.size() > 1 ? ", " : "") + show(item);
  return out + "]";
}

template <typename T>
bool read(const Node& node, std::optional<T>& out, std::string& why) {
  out.emplace();
  return read(node, *out, why);
}

template <typename T>
std::string show(const std::optional<T>& value) {
  return value ? show(*value) : "none";
}

}  // namespace config
