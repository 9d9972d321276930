#include "config/utf8.h"

namespace config {

std::size_t valid_utf8_prefix(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  std::size_t at = 0;
  while (at < text.size()) {
    const unsigned char first = byte(at);
    std::size_t length = 0;
    unsigned low = 0x80;
    unsigned high = 0xbf;  // bounds of the second byte
    if (first < 0x80) length = 1;
    else if (first >= 0xc2 && first <= 0xdf) length = 2;
    else if (first >= 0xe0 && first <= 0xef) length = 3;
    else if (first >= 0xf0 && first <= 0xf4) length = 4;
    else return at;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
    if (at + length > text.size()) return at;
    for (std::size_t i = 1; i < length; ++i) {
      const unsigned char next = byte(at + i);
      if (i == 1 ? (next < low || next > high) : (next < 0x80 || next > 0xbf)) return at;
    }
    at += length;
  }
  return at;
}

}  // namespace config
