// ASCII, whatever the locale: its letters and digits, and words of protocols (header names, host names, verbs), in
// which the case of letters does not matter.
#pragma once

#include <string>
#include <string_view>

namespace base {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_alphanumeric(char c) { return is_digit(c) || is_letter(c); }
// The value of a hexadecimal digit; -1 for what is none.
constexpr int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Whether the two are the same without regard to case.
bool same_word(std::string_view a, std::string_view b);

std::string lower_case(std::string_view text);

// Without blanks and tabs at both ends, or without the characters that are named.
std::string_view trim(std::string_view text, std::string_view blanks = " \t");

// Takes what stands before the next `separator`, and the separator, off the front of `text`; all of it where there is
// none.
std::string_view take_until(std::string_view& text, char separator);
inline std::string_view take_line(std::string_view& text) { return take_until(text, '\n'); }

}  // namespace base
