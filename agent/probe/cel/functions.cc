#include "probe/cel/functions.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/number.h"
#include "base/text.h"

namespace probe::cel {
namespace {

constexpr std::size_t kLongestString = 1024 * 1024;
constexpr std::size_t kLongestList = 100'000;

Value no_overload(std::string_view what, const Value& a, const Value* b, Memory& memory) {
  return memory.error("no such overload: " + std::string(what) + "(" + std::string(name_of(a.kind)) +
                      (b != nullptr ? ", " + std::string(name_of(b->kind)) : "") + ")");
}

std::string_view sign_of(Function function) {
  switch (function) {
    case Function::add: return "_+_";
    case Function::subtract: return "_-_";
    case Function::multiply: return "_*_";
    case Function::divide: return "_/_";
    case Function::modulo: return "_%_";
    case Function::less: return "_<_";
    case Function::at_most: return "_<=_";
    case Function::greater: return "_>_";
    default: return "_>=_";
  }
}

// False if the result does not fit.
template <typename T>
bool whole(Function function, T a, T b, T& out) {
  switch (function) {
    case Function::add: return !__builtin_add_overflow(a, b, &out);
    case Function::subtract: return !__builtin_sub_overflow(a, b, &out);
    case Function::multiply: return !__builtin_mul_overflow(a, b, &out);
    default: break;
  }
  if constexpr (std::is_signed_v<T>)
    if (a == std::numeric_limits<T>::min() && b == -1) return false;
  out = function == Function::divide ? a / b : a % b;
  return true;
}

template <typename T>
Value arithmetic(Function function, T a, T b, Memory& memory) {
  if (b == 0 && function == Function::divide) return memory.error("division by zero");
  if (b == 0 && function == Function::modulo) return memory.error("modulus by zero");
  T out{};
  if (!whole(function, a, b, out)) return memory.error("the result does not fit into an integer");
  return Value(out);
}

Value arithmetic(Function function, const Value& a, const Value& b, Memory& memory) {
  if (a.kind == b.kind) {
    if (a.is(Kind::integer)) return arithmetic(function, a.integer, b.integer, memory);
    if (a.is(Kind::unsigned_integer)) return arithmetic(function, a.unsigned_integer, b.unsigned_integer, memory);
    if (a.is(Kind::real) && function != Function::modulo)
      return Value(function == Function::add        ? a.real + b.real
                   : function == Function::subtract ? a.real - b.real
                   : function == Function::multiply ? a.real * b.real
                                                    : a.real / b.real);
    if (function == Function::add && a.is(Kind::string)) {
      if (a.text.size() + b.text.size() > kLongestString) return memory.error("the string becomes too long");
      return memory.string(std::string(a.text) + std::string(b.text));
    }
    if (function == Function::add && a.is(Kind::list)) {
      if (a.list->size() + b.list->size() > kLongestList) return memory.error("the list becomes too long");
      List both = *a.list;
      both.insert(both.end(), b.list->begin(), b.list->end());
      return memory.list(std::move(both));
    }
  }
  return no_overload(sign_of(function), a, &b, memory);
}

Value relation(Function function, const Value& a, const Value& b, Memory& memory) {
  const int order = compare(a, b);
  if (order == 3) return no_overload(sign_of(function), a, &b, memory);
  if (order == 2) return Value(false);
  switch (function) {
    case Function::less: return Value(order < 0);
    case Function::at_most: return Value(order <= 0);
    case Function::greater: return Value(order > 0);
    default: return Value(order >= 0);
  }
}

Value contained(const Value& what, const Value& in, Memory& memory) {
  if (in.is(Kind::map)) return Value(in.map->contains(what));
  if (!in.is(Kind::list)) return no_overload("@in", what, &in, memory);
  for (const Value& item : *in.list)
    if (equal(item, what)) return Value(true);
  return Value(false);
}

// Characters, not bytes: those that begin one in UTF-8.
std::int64_t characters(std::string_view text) {
  std::int64_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
  return count;
}

Value size(const Value& of, Memory& memory) {
  if (of.is(Kind::string)) return Value(characters(of.text));
  if (of.is(Kind::list)) return Value(static_cast<std::int64_t>(of.list->size()));
  if (of.is(Kind::map)) return Value(static_cast<std::int64_t>(of.map->size()));
  return no_overload("size", of, nullptr, memory);
}

Value in_other_case(const Value& of, char from, char to, int shift, Memory& memory) {
  if (!of.is(Kind::string)) return no_overload(shift > 0 ? "lowerAscii" : "upperAscii", of, nullptr, memory);
  std::string text(of.text);
  for (char& c : text)
    if (c >= from && c <= to) c = static_cast<char>(c + shift);
  return memory.string(std::move(text));
}

Value matches(const Value& text, const Value& pattern, const base::Regex* regex, Memory& memory) {
  if (!text.is(Kind::string) || !pattern.is(Kind::string)) return no_overload("matches", text, &pattern, memory);
  if (regex != nullptr) return Value(regex->found_in(text.text));
  const auto compiled = base::Regex::compile(pattern.text);
  if (!compiled) return memory.error(compiled.error().text);
  return Value(compiled->found_in(text.text));
}

template <typename T>
Value parsed(std::string_view text, std::string_view type, Memory& memory) {
  if (const auto number = base::read_number<T>(text)) return Value(*number);
  return memory.error("'" + base::shortened(text, 80) + "' is no " + std::string(type));
}

Value to_int(const Value& of, Memory& memory) {
  constexpr double kTwoTo63 = 9223372036854775808.0;
  const Value too_large = memory.error("the number does not fit into an int");
  switch (of.kind) {
    case Kind::integer: return of;
    case Kind::unsigned_integer:
      return of.unsigned_integer > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())
                 ? too_large
                 : Value(static_cast<std::int64_t>(of.unsigned_integer));
    case Kind::real:
      return of.real > -kTwoTo63 && of.real < kTwoTo63 ? Value(static_cast<std::int64_t>(of.real)) : too_large;
    case Kind::string: return parsed<std::int64_t>(of.text, "int", memory);
    default: return no_overload("int", of, nullptr, memory);
  }
}

Value to_uint(const Value& of, Memory& memory) {
  constexpr double kTwoTo64 = 18446744073709551616.0;
  const Value does_not_fit = memory.error("the number does not fit into a uint");
  switch (of.kind) {
    case Kind::unsigned_integer: return of;
    case Kind::integer: return of.integer < 0 ? does_not_fit : Value(static_cast<std::uint64_t>(of.integer));
    case Kind::real:
      return of.real >= 0 && of.real < kTwoTo64 ? Value(static_cast<std::uint64_t>(of.real)) : does_not_fit;
    case Kind::string: return parsed<std::uint64_t>(of.text, "uint", memory);
    default: return no_overload("uint", of, nullptr, memory);
  }
}

Value to_double(const Value& of, Memory& memory) {
  switch (of.kind) {
    case Kind::real: return of;
    case Kind::integer: return Value(static_cast<double>(of.integer));
    case Kind::unsigned_integer: return Value(static_cast<double>(of.unsigned_integer));
    case Kind::string: return parsed<double>(of.text, "double", memory);
    default: return no_overload("double", of, nullptr, memory);
  }
}

Value to_string(const Value& of, Memory& memory) {
  switch (of.kind) {
    case Kind::string: return of;
    case Kind::boolean: return memory.string(of.boolean ? "true" : "false");
    case Kind::integer: return memory.string(std::to_string(of.integer));
    case Kind::unsigned_integer: return memory.string(std::to_string(of.unsigned_integer));
    case Kind::real: {
      // Without an exponent where Go has none, so that string(3.0) is "3".
      std::array<char, 400> digits;
      const auto [end, error] =
          std::to_chars(digits.data(), digits.data() + digits.size(), of.real, std::chars_format::fixed);
      return memory.string(std::string(digits.data(), end));
    }
    default: return no_overload("string", of, nullptr, memory);
  }
}

Value to_bool(const Value& of, Memory& memory) {
  if (of.is(Kind::boolean)) return of;
  if (!of.is(Kind::string)) return no_overload("bool", of, nullptr, memory);
  for (const std::string_view yes : {"1", "t", "true", "TRUE", "True"})
    if (of.text == yes) return Value(true);
  for (const std::string_view no : {"0", "f", "false", "FALSE", "False"})
    if (of.text == no) return Value(false);
  return memory.error("'" + base::shortened(of.text, 80) + "' is no bool");
}

Value negated(const Value& of, Memory& memory) {
  if (of.is(Kind::real)) return Value(-of.real);
  if (!of.is(Kind::integer)) return no_overload("-_", of, nullptr, memory);
  return arithmetic(Function::subtract, std::int64_t{0}, of.integer, memory);
}

Value in_text(Function function, const Value& a, const Value& b, Memory& memory) {
  if (!a.is(Kind::string) || !b.is(Kind::string)) {
    const char* name = function == Function::starts_with ? "startsWith"
                       : function == Function::ends_with ? "endsWith"
                                                         : "contains";
    return no_overload(name, a, &b, memory);
  }
  if (function == Function::starts_with) return Value(a.text.starts_with(b.text));
  if (function == Function::ends_with) return Value(a.text.ends_with(b.text));
  return Value(a.text.find(b.text) != std::string_view::npos);
}

}  // namespace

Value apply(Function function, const Value& a, const Value& b, const base::Regex* regex, Memory& memory) {
  switch (function) {
    case Function::negate: return negated(a, memory);
    case Function::logical_not: return a.is(Kind::boolean) ? Value(!a.boolean) : no_overload("!_", a, nullptr, memory);
    case Function::add:
    case Function::subtract:
    case Function::multiply:
    case Function::divide:
    case Function::modulo: return arithmetic(function, a, b, memory);
    case Function::equals: return Value(equal(a, b));
    case Function::differs: return Value(!equal(a, b));
    case Function::less:
    case Function::at_most:
    case Function::greater:
    case Function::at_least: return relation(function, a, b, memory);
    case Function::contained: return contained(a, b, memory);
    case Function::size: return size(a, memory);
    case Function::starts_with:
    case Function::ends_with:
    case Function::contains: return in_text(function, a, b, memory);
    case Function::matches: return matches(a, b, regex, memory);
    case Function::lower_ascii: return in_other_case(a, 'A', 'Z', 'a' - 'A', memory);
    case Function::upper_ascii: return in_other_case(a, 'a', 'z', 'A' - 'a', memory);
    case Function::to_int: return to_int(a, memory);
    case Function::to_uint: return to_uint(a, memory);
    case Function::to_double: return to_double(a, memory);
    case Function::to_string: return to_string(a, memory);
    case Function::to_bool: return to_bool(a, memory);
    case Function::dyn: return a;
  }
  return memory.error("unknown function");
}

}  // namespace probe::cel
