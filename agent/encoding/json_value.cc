#include "encoding/json_value.h"

#include <algorithm>

#include "base/number.h"

namespace encoding {

JsonShape shape_of(std::string_view text) {
  JsonShape out;
  std::size_t depth = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    switch (text[at]) {
      case '"':
        for (++at; at < text.size() && text[at] != '"'; ++at)
          if (text[at] == '\\') ++at;
        break;
      case '[':
      case '{':
        out.depth = std::max(out.depth, ++depth);
        ++out.values;
        break;
      case ']':
      case '}': depth -= depth > 0 ? 1 : 0; break;
      case ',': ++out.values; break;
      default: break;
    }
  }
  return out;
}

// Not by a callback of the library's parser: that looks at all siblings of a value at its end.
json read_json(std::string_view text) {
  constexpr std::size_t kDeepest = 32;
  const JsonShape shape = shape_of(text);
  if (shape.depth > kDeepest || shape.values > kMostValues) return {};
  json value = json::parse(text, nullptr, false);
  return value.is_discarded() ? json() : value;
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

}  // namespace encoding
