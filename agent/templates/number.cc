#include "templates/number.h"

#include <cmath>
#include <cstdint>

#include "base/number.h"
#include "go/format.h"

namespace templates {
namespace {

bool parse_integer(std::string text, std::int64_t& out) {
  const bool negative = !text.empty() && text[0] == '-';
  if (negative || (!text.empty() && text[0] == '+')) text.erase(0, 1);
  std::erase(text, '_');
  int radix = 10;
  if (text.size() > 1 && text[0] == '0') {
    const char mark = static_cast<char>(text[1] | 0x20);
    radix = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    text.erase(0, mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1);
  }
  if (negative) text.insert(0, "-");
  const auto value = base::read_number<std::int64_t>(text, radix);
  out = value.value_or(out);
  return value.has_value();
}

}  // namespace

bool parse_number(const std::string& text, Number& n) {
  if (parse_integer(text, n.integer)) {
    n.is_integer = n.is_float = true;
    n.real = static_cast<double>(n.integer);
    return true;
  }
  std::string plain = text;
  std::erase(plain, '_');
  const auto real = go::parse_float(plain);
  if (!real || plain.find_first_of(".eEpP") == std::string::npos) return false;
  n.is_float = true;
  n.real = *real;
  if (std::abs(n.real) < 9e18 && n.real == std::trunc(n.real)) {
    n.is_integer = true;
    n.integer = static_cast<std::int64_t>(n.real);
  }
  return true;
}

}  // namespace templates
