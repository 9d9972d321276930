#include "config/yaml_number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/number.h"

namespace config {
namespace {

// A whole number with YAML's prefixes, without its sign: 0x1F, 0o17 and 017, 0b11.
std::optional<double> read_prefixed(std::string_view digits) {
  int base = 8;
  std::size_t prefix = 1;
  if (digits.size() < 2 || digits[0] != '0') return std::nullopt;
  switch (digits[1]) {
    case 'x':
    case 'X': base = 16, prefix = 2; break;
    case 'o':
    case 'O': prefix = 2; break;
    case 'b':
    case 'B': base = 2, prefix = 2; break;
    default: break;
  }
  std::uint64_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data() + prefix, end, value, base);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return static_cast<double>(value);
}

// 5, .5, 5., 5e3: nothing else, so that Go's own words for infinity stay strings.
bool is_decimal(std::string_view text) {
  const auto digits = [&text] {
    const std::size_t size = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(size);
    return size > 0;
  };
  bool any = digits();
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    any = digits() || any;
  }
  if (!any || text.empty()) return any;
  if (text[0] != 'e' && text[0] != 'E') return false;
  text.remove_prefix(1);
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  return digits() && text.empty();
}

}  // namespace

std::optional<double> yaml_number(const Node& node) {
  if (!node.is_scalar() || node.quoted() || node.scalar().starts_with('_')) return std::nullopt;
  std::string text = node.scalar();
  std::erase(text, '_');
  const bool negative = text.starts_with('-');
  std::string_view rest = text;
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest == ".nan" || rest == ".NaN" || rest == ".NAN")
    return rest.size() == text.size() ? std::optional(std::nan("")) : std::nullopt;
  std::optional<double> value;
  if (rest == ".inf" || rest == ".Inf" || rest == ".INF") {
    value = HUGE_VAL;
  } else if (value = read_prefixed(rest); !value && is_decimal(rest)) {
    value = base::read_number<double>(rest.starts_with('.') ? "0" + std::string(rest) : std::string(rest));
    if (value && std::isinf(*value)) value.reset();
  }
  if (value && negative) value = -*value;
  return value;
}

}  // namespace config
