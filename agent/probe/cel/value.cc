#include "probe/cel/value.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace probe::cel {
namespace {

int order(double a, double b) { return a < b ? -1 : a > b ? 1 : a == b ? 0 : 2; }

template <typename T>
int order_of(T a, T b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

// Exactly, also where a double cannot hold the integer.
int order_with_real(const Value& number, double real) {
  constexpr double kTwoTo63 = 9223372036854775808.0;
  if (std::isnan(real)) return 2;
  if (number.is(Kind::integer)) {
    if (real >= kTwoTo63) return -1;
    if (real < -kTwoTo63) return 1;
    const auto whole = static_cast<std::int64_t>(real);
    return number.integer != whole ? order_of(number.integer, whole) : order(0, real - std::trunc(real));
  }
  if (real >= 2 * kTwoTo63) return -1;
  if (real < 0) return 1;
  const auto whole = static_cast<std::uint64_t>(real);
  return number.unsigned_integer != whole ? order_of(number.unsigned_integer, whole)
                                          : order(0, real - std::trunc(real));
}

int compare_numbers(const Value& a, const Value& b) {
  if (a.is(Kind::real) && b.is(Kind::real)) return order(a.real, b.real);
  if (b.is(Kind::real)) return order_with_real(a, b.real);
  if (a.is(Kind::real)) {
    const int turned = order_with_real(b, a.real);
    return turned == 2 ? 2 : -turned;
  }
  if (a.kind == b.kind)
    return a.is(Kind::integer) ? order_of(a.integer, b.integer) : order_of(a.unsigned_integer, b.unsigned_integer);
  if (a.is(Kind::integer))
    return a.integer < 0 ? -1 : order_of(static_cast<std::uint64_t>(a.integer), b.unsigned_integer);
  return b.integer < 0 ? 1 : order_of(a.unsigned_integer, static_cast<std::uint64_t>(b.integer));
}

std::string quoted_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') out += "\\n";
    else out += c;
  }
  return out + "\"";
}

std::string written(double real) {
  std::array<char, 32> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), real);
  std::string out(digits.data(), end);
  return out.find_first_of(".enai") == std::string::npos ? out + ".0" : out;
}

}  // namespace

Value Memory::error(std::string text) {
  Value value = string(std::move(text));
  value.kind = Kind::error;
  return value;
}

bool KeyOrder::operator()(const Value& a, const Value& b) const {
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == -1;
  if (a.is_number() != b.is_number()) return a.is_number();
  if (a.kind != b.kind) return a.kind < b.kind;
  return a.is(Kind::boolean) ? a.boolean < b.boolean : a.text < b.text;
}

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::null: return "null_type";
    case Kind::boolean: return "bool";
    case Kind::integer: return "int";
    case Kind::unsigned_integer: return "uint";
    case Kind::real: return "double";
    case Kind::string: return "string";
    case Kind::list: return "list";
    case Kind::map: return "map";
    case Kind::error: return "error";
  }
  return "";
}

bool equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case Kind::null: return true;
    case Kind::boolean: return a.boolean == b.boolean;
    case Kind::string: return a.text == b.text;
    case Kind::list: {
      if (a.list->size() != b.list->size()) return false;
      for (std::size_t i = 0; i < a.list->size(); ++i)
        if (!equal((*a.list)[i], (*b.list)[i])) return false;
      return true;
    }
    case Kind::map: {
      if (a.map->size() != b.map->size()) return false;
      for (const auto& [key, value] : *a.map) {
        const auto other = b.map->find(key);
        if (other == b.map->end() || !equal(value, other->second)) return false;
      }
      return true;
    }
    default: return false;
  }
}

int compare(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return compare_numbers(a, b);
  if (a.is(Kind::string) && b.is(Kind::string)) return order_of(a.text, b.text);
  if (a.is(Kind::boolean) && b.is(Kind::boolean)) return order_of(a.boolean, b.boolean);
  return 3;
}

std::string shown(const Value& value) {
  switch (value.kind) {
    case Kind::null: return "null";
    case Kind::boolean: return value.boolean ? "true" : "false";
    case Kind::integer: return std::to_string(value.integer);
    case Kind::unsigned_integer: return std::to_string(value.unsigned_integer) + "u";
    case Kind::real: return written(value.real);
    case Kind::string: return quoted_text(value.text);
    case Kind::error: return "error: " + std::string(value.text);
    case Kind::list: {
      std::string out = "[";
      for (const Value& item : *value.list) out += (out.size() > 1 ? ", " : "") + shown(item);
      return out + "]";
    }
    case Kind::map: {
      std::string out = "{";
      for (const auto& [key, of] : *value.map) out += (out.size() > 1 ? ", " : "") + shown(key) + ": " + shown(of);
      return out + "}";
    }
  }
  return "";
}

}  // namespace probe::cel
