#include "encoding/json_value.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/number.h"

namespace encoding {

json read_json(std::string_view text) {
  constexpr int kDeepest = 32;
  bool deep = false;
  const auto keep = [&](int depth, json::parse_event_t, json&) {
    deep = deep || depth > kDeepest;
    return !deep;
  };
  json value = json::parse(text, keep, false);
  return value.is_discarded() || deep ? json() : value;
}

const json& member(const json& object, const char* name) {
  static const json none;
  if (!object.is_object()) return none;
  const auto found = object.find(name);
  return found == object.end() ? none : *found;
}

std::string text_of(const json& value) { return value.is_string() ? value.get<std::string>() : std::string(); }

std::optional<std::uint64_t> number_of(const json& value) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  if (!value.is_string()) return std::nullopt;
  return base::read_number<std::uint64_t>(value.get_ref<const std::string&>());
}

std::string as_label_name(std::string_view name) {
  std::string out(name);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return !base::is_alphanumeric(c) && c != '_'; }, '_');
  return out;
}

}  // namespace encoding
