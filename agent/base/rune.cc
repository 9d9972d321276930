#include "base/rune.h"

#include <algorithm>

#include "base/number.h"
#include "base/text.h"

namespace base {

char32_t first_rune(std::string_view text, std::size_t& bytes) {
  const std::size_t length = utf8_length(text);
  bytes = std::max<std::size_t>(length, 1);
  if (length == 0) return kBadRune;
  const auto byte = [&](std::size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(text[i])); };
  if (length == 1) return byte(0);
  char32_t rune = byte(0) & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) rune = rune << 6U | (byte(i) & 0x3fU);
  return rune;
}

void append_rune(std::string& out, char32_t rune) {
  const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
  const auto tail = [&](unsigned shift) { put(0x80U | (rune >> shift & 0x3fU)); };
  if (rune < 0x80) return put(rune);
  if (rune < 0x800) {
    put(0xc0U | rune >> 6U);
    return tail(0);
  }
  if (rune < 0x10000) {
    put(0xe0U | rune >> 12U);
    tail(6);
    return tail(0);
  }
  put(0xf0U | rune >> 18U);
  tail(12);
  tail(6);
  tail(0);
}

std::optional<unsigned> utf16_escape(std::string_view text) {
  if (text.size() < 6 || !text.starts_with("\\u")) return std::nullopt;
  return read_number<unsigned>(text.substr(2, 4), 16);
}

}  // namespace base
