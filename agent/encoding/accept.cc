#include "encoding/accept.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/ascii.h"
#include "base/number.h"

namespace encoding {
namespace {

struct Wish {
  std::string_view name;
  std::vector<std::pair<std::string_view, std::string_view>> parameters;
  double q = 1;
  std::string_view parameter(std::string_view key) const {
    for (const auto& [parameter_name, value] : parameters)
      if (base::same_word(parameter_name, key)) return value;
    return "";
  }
};

std::string_view next(std::string_view& rest, char separator) {
  const std::string_view part = rest.substr(0, rest.find(separator));
  rest.remove_prefix(std::min(rest.size(), part.size() + 1));
  return base::trim(part);
}

std::vector<Wish> parse(std::string_view header) {
  std::vector<Wish> wishes;
  while (!header.empty()) {
    std::string_view item = next(header, ',');
    Wish wish;
    wish.name = next(item, ';');
    if (wish.name.empty()) continue;
    while (!item.empty()) {
      std::string_view parameter = next(item, ';');
      const std::string_view key = next(parameter, '=');
      std::string_view value = base::trim(parameter);
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
      if (base::same_word(key, "q")) {
        wish.q = base::leading_number<double>(value).value_or(0);  // what is no number is not wanted
      } else {
        wish.parameters.emplace_back(key, value);
      }
    }
    wishes.push_back(std::move(wish));
  }
  return wishes;
}

}  // namespace

Exposition preferred_exposition(std::string_view accept) {
  double openmetrics = 0, text = 0, anything = 0;
  bool text_named = false;
  for (const Wish& wish : parse(accept)) {
    if (base::same_word(wish.name, "application/openmetrics-text")) {
      const std::string_view version = wish.parameter("version");
      const std::string_view escaping = wish.parameter("escaping");
      if ((version.empty() || version == "1.0.0" || version == "0.0.1") &&
          (escaping.empty() || escaping == "underscores" || escaping == "values" || escaping == "dots" ||
           escaping == "allow-utf-8"))
        openmetrics = std::max(openmetrics, wish.q);
    } else if (base::same_word(wish.name, "text/plain") || base::same_word(wish.name, "text/*")) {
      const std::string_view version = wish.parameter("version");
      if (version.empty() || version == "0.0.4") {
        text = std::max(text, wish.q);
        text_named = true;
      }
    } else if (wish.name == "*/*") {
      anything = std::max(anything, wish.q);
    }
  }
  if (!text_named) text = anything;
  return openmetrics > 0 && openmetrics >= text ? Exposition::openmetrics : Exposition::text;
}

bool accepts_gzip(std::string_view accept_encoding) {
  double gzip = -1, anything = 0;
  for (const Wish& wish : parse(accept_encoding)) {
    if (base::same_word(wish.name, "gzip") || base::same_word(wish.name, "x-gzip")) gzip = wish.q;
    if (wish.name == "*") anything = wish.q;
  }
  return gzip >= 0 ? gzip > 0 : anything > 0;
}

}  // namespace encoding
