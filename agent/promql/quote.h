// Characters and strings the way Go prints them, because error messages and the canonical form follow Prometheus.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace promql {

inline constexpr std::int32_t kBadRune = 0xfffd;

// The first character of UTF-8 text (not empty) and its bytes; kBadRune and 1 where the bytes are none.
std::int32_t decode_rune(std::string_view text, std::size_t& width);
void append_rune(std::string& out, std::uint32_t rune);

std::string quote(std::string_view text);            // "a\"b\n"
std::string quote_shortened(std::string_view text);  // at most ten characters, then ...
std::string quote_rune(std::int32_t rune);           // 'x'
std::string unicode_name(std::int32_t rune);         // U+0063 'c'
// The text of a string literal without its quotes and escapes; the lexer has checked it.
std::string unquote(std::string_view literal);
// As Go's %v prints a float64: shortest, exponent below 1e-4 and from 1e6 on.
std::string format_general(double v);
// The shortest plain decimal, never an exponent: label values of count_values.
std::string format_plain(double v);
// As Go's strconv.ParseFloat reads; false if it would not.
bool read_float(std::string_view text, double& out);

}  // namespace promql
