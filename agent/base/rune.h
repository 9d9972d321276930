// Characters of UTF-8 as numbers, the way Go takes them off a string. Pure; from every thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace base {

// What stands for a byte that belongs to no character.
inline constexpr char32_t kBadRune = 0xfffd;

// The character that `text` (not empty) begins with, and its bytes; kBadRune and one byte where it begins with none.
char32_t first_rune(std::string_view text, std::size_t& bytes);
// `rune` is at most 0x10ffff.
void append_rune(std::string& out, char32_t rune);
// The number in JSON's escape (backslash, u, four hexadecimal digits) that `text` begins with; nothing for what is
// none.
std::optional<unsigned> utf16_escape(std::string_view text);

}  // namespace base
