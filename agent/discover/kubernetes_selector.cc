#include "discover/kubernetes_selector.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/ascii.h"

namespace discover {
namespace {

constexpr std::size_t kLongestName = 63, kLongestPrefix = 253;

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kLongestName && base::is_alphanumeric(text.front()) &&
         base::is_alphanumeric(text.back()) && std::all_of(text.begin(), text.end(), [](char c) {
           return base::is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
         });
}
bool is_value(std::string_view text) { return text.empty() || is_name(text); }
// [PREFIX/]NAME; the prefix is a name of DNS.
bool is_key(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return is_name(text);
  const std::string_view prefix = text.substr(0, slash);
  return !prefix.empty() && prefix.size() <= kLongestPrefix && is_name(text.substr(slash + 1)) &&
         std::all_of(prefix.begin(), prefix.end(),
                     [](char c) { return base::is_alphanumeric(c) || c == '-' || c == '.'; });
}

// Between commas that are in no brackets, each without blanks around it.
std::vector<std::string_view> parts_of(std::string_view text) {
  std::vector<std::string_view> parts;
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t at = 0; at <= text.size(); ++at) {
    if (at < text.size() && text[at] == '(') ++depth;
    if (at < text.size() && text[at] == ')') --depth;
    if (at < text.size() && (text[at] != ',' || depth > 0)) continue;
    parts.push_back(base::trim(text.substr(begin, at - begin)));
    begin = at + 1;
  }
  return parts;
}

// `key in (a,b)` and `key notin (a,b)`: what is behind the key.
bool is_set(std::string_view text) {
  for (const std::string_view word : {"notin", "in"}) {
    if (!text.starts_with(word)) continue;
    const std::string_view list = base::trim(text.substr(word.size()));
    if (list.size() < 2 || list.front() != '(' || list.back() != ')') return false;
    const auto values = parts_of(list.substr(1, list.size() - 2));
    return std::all_of(values.begin(), values.end(), is_value);
  }
  return false;
}

bool is_label_requirement(std::string_view text) {
  if (text.starts_with('!')) return is_key(base::trim(text.substr(1)));
  if (const std::size_t blank = text.find(' '); blank != std::string_view::npos && is_key(text.substr(0, blank)))
    if (const std::string_view rest = base::trim(text.substr(blank)); is_set(rest)) return true;
  for (const std::string_view sign : {"!=", "==", "=", ">", "<"})
    if (const std::size_t at = text.find(sign); at != std::string_view::npos) {
      const std::string_view value = base::trim(text.substr(at + sign.size()));
      const bool number = !value.empty() && std::all_of(value.begin(), value.end(), base::is_digit);
      return is_key(base::trim(text.substr(0, at))) && (sign == ">" || sign == "<" ? number : is_value(value));
    }
  return is_key(text);
}

// FIELD=VALUE, FIELD==VALUE or FIELD!=VALUE: the field; "" if it is none of these.
std::string_view field_of(std::string_view requirement) {
  const std::size_t at = requirement.find_first_of("=!");
  const bool sign = at != std::string_view::npos && (requirement[at] == '=' || requirement.substr(at, 2) == "!=");
  return sign ? requirement.substr(0, at) : std::string_view();
}

// Between commas that no \ stands before.
std::vector<std::string_view> field_requirements(std::string_view text) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  for (std::size_t at = 0; at <= text.size(); ++at) {
    if (at + 1 < text.size() && text[at] == '\\') {
      ++at;
      continue;
    }
    if (at < text.size() && text[at] != ',') continue;
    parts.push_back(text.substr(begin, at - begin));
    begin = at + 1;
  }
  return parts;
}

}  // namespace

std::string label_selector_complaint(std::string_view selector) {
  if (base::trim(selector).empty()) return "";
  for (const std::string_view part : parts_of(selector))
    if (!is_label_requirement(part))
      return fmt::format("has '{}', which is no requirement such as app=order, app!=order, app in (a,b), app or !app",
                         part);
  return "";
}

std::string field_selector_complaint(std::string_view selector) {
  if (selector.empty()) return "";
  for (const std::string_view part : field_requirements(selector))
    if (field_of(part).empty())
      return fmt::format("has '{}', which is no requirement such as status.phase=Running or metadata.name!=old", part);
  return "";
}

bool selects_field(std::string_view selector, std::string_view field) {
  const auto parts = field_requirements(selector);
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) { return field_of(part) == field; });
}

}  // namespace discover
