#include "config/scalar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/edit_distance.h"
#include "base/number.h"

namespace config {
namespace {

std::string shown(const Node& got) {
  constexpr std::size_t kLongest = 60;
  if (!got.is_scalar()) return std::string(got.type_name());
  std::string text = got.scalar().substr(0, kLongest);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return "'" + text + (got.scalar().size() > kLongest ? "…'" : "'");
}

// Decimal digits with an optional minus and no leading zero: what YAML 1.1, YAML 1.2 and people read alike.
bool is_plain_integer(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

template <typename T>
bool read_integer(const Node& node, T& out, std::string& why) {
  const std::string& text = node.scalar();
  if (!node.is_scalar() || node.quoted() || !is_plain_integer(text)) {
    why = expected("a whole number", node);
    if (node.quoted() && is_plain_integer(text)) why += " in quotes: write it without them";
    return false;
  }
  if (const auto number = base::read_number<T>(text)) {
    out = *number;
    return true;
  }
  why = std::is_unsigned_v<T> && text.starts_with('-') ? fmt::format("must not be negative, got '{}'", text)
                                                       : fmt::format("the number '{}' is too large", text);
  return false;
}

template <typename Put>
bool read_mapping(const Node& node, std::string& why, const Put& put) {
  if (!node.is_mapping()) {
    why = expected("a mapping of names to strings", node);
    return false;
  }
  for (const auto& [key, value] : node.entries()) {
    std::string text;
    if (!read(value, text, why)) {
      why = fmt::format("'{}': {}", key.scalar(), why);
      return false;
    }
    if (!put(key.scalar(), std::move(text))) return false;
  }
  return true;
}

}  // namespace

std::string expected(std::string_view what, const Node& got) {
  if (got.is_null()) return fmt::format("has no value: expected {}", what);
  // A word in the place of a whole mapping or list is a slip, and may be what belongs under one of its secret keys.
  const bool whole = what.starts_with("a mapping") || what.starts_with("a list");
  return fmt::format("expected {}, got {}", what, whole ? std::string(got.type_name()) : shown(got));
}

bool is_label_name(std::string_view name) {
  const auto word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && word(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return word(c) || (c >= '0' && c <= '9'); });
}

bool read(const Node& node, std::string& out, std::string& why) {
  if (!node.is_scalar()) {
    why = expected("a string", node);
    return false;
  }
  out = node.scalar();
  return true;
}

bool read(const Node& node, bool& out, std::string& why) {
  if (node.is_scalar() && !node.quoted() && (node.scalar() == "true" || node.scalar() == "false")) {
    out = node.scalar() == "true";
    return true;
  }
  why = expected("true or false", node);
  return false;
}

bool read(const Node& node, int& out, std::string& why) { return read_integer(node, out, why); }
bool read(const Node& node, std::int64_t& out, std::string& why) { return read_integer(node, out, why); }
bool read(const Node& node, std::size_t& out, std::string& why) { return read_integer(node, out, why); }

bool read(const Node& node, double& out, std::string& why) {
  const std::string& text = node.scalar();
  const auto value = base::read_number<double>(text);
  if (!node.is_scalar() || node.quoted() || !value || !std::isfinite(*value)) {
    why = expected("a number such as 0.5", node);
    return false;
  }
  out = *value;
  return true;
}

bool read(const Node& node, base::Millis& out, std::string& why) {
  if (const auto parsed = base::parse_duration(node.scalar()); node.is_scalar() && parsed) {
    out = *parsed;
    return true;
  }
  why = expected("a duration such as 500ms or 2s", node);
  if (is_plain_integer(node.scalar())) why += ": a number needs a unit";
  return false;
}

bool read(const Node& node, base::Secret& out, std::string& why) {
  // What was found is not shown: it may be the secret.
  if (!node.is_scalar()) {
    why =
        node.is_null() ? "has no value: expected a string" : fmt::format("expected a string, got {}", node.type_name());
    return false;
  }
  out = base::Secret(node.scalar());
  return true;
}

bool read(const Node& node, model::Labels& out, std::string& why) {
  std::vector<std::pair<std::string, std::string>> kept;
  const bool good = read_mapping(node, why, [&](const std::string& name, std::string value) {
    if (!is_label_name(name) || name == model::kMetricName) {
      why = fmt::format("'{}' is no label name: letters, digits and _ are allowed, no digit first, not __name__", name);
      return false;
    }
    kept.emplace_back(name, std::move(value));
    return true;
  });
  if (!good) return false;
  std::vector<model::Label> views;
  for (const auto& [name, value] : kept) views.push_back({name, value});
  out = model::Labels(std::move(views));
  return true;
}

bool read(const Node& node, Node& out, std::string&) {
  out = node;
  return true;
}

bool read(const Node& node, std::map<std::string, std::string>& out, std::string& why) {
  return read_mapping(node, why, [&](const std::string& name, std::string value) {
    out.insert_or_assign(name, std::move(value));
    return true;
  });
}

bool read_one_of(const Node& node, const std::vector<std::string>& names, std::size_t& index, std::string& why) {
  const auto found = std::find(names.begin(), names.end(), node.scalar());
  if (node.is_scalar() && found != names.end()) {
    index = static_cast<std::size_t>(found - names.begin());
    return true;
  }
  why = expected(fmt::format("{} {}", names.size() > 2 ? "one of" : "either", fmt::join(names, ", ")), node);
  if (!node.is_scalar()) return false;
  if (const std::string near = base::nearest(node.scalar(), names); !near.empty())
    why += fmt::format("; did you mean '{}'?", near);
  return false;
}

std::string show(const std::string& value) { return value.empty() ? "\"\"" : value; }
std::string show(bool value) { return value ? "true" : "false"; }
std::string show(int value) { return std::to_string(value); }
std::string show(std::int64_t value) { return std::to_string(value); }
std::string show(std::size_t value) { return std::to_string(value); }
std::string show(double value) { return fmt::format("{}", value); }
std::string show(base::Millis value) { return base::format_duration(value); }
std::string show(const base::Secret& value) { return value.empty() ? "\"\"" : "<secret>"; }
std::string show(const model::Labels& value) {
  std::string out = "{";
  for (const model::Label& label : value)
    out += fmt::format("{}{}: {}", out.size() > 1 ? ", " : "", label.name, label.value);
  return out + "}";
}
std::string show(const Node& value) { return value.is_null() ? "none" : value.scalar(); }
std::string show(const std::map<std::string, std::string>& value) {
  std::string out = "{";
  for (const auto& [name, text] : value) out += fmt::format("{}{}: {}", out.size() > 1 ? ", " : "", name, text);
  return out + "}";
}

}  // namespace config
