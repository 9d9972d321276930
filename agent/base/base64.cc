#include "base/base64.h"

#include <cstdint>

namespace base {
namespace {

constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

std::string_view last_letters(Base64Alphabet alphabet) { return alphabet == Base64Alphabet::standard ? "+/" : "-_"; }

// -1 for what is no letter of that form.
int six_bits(char c, Base64Form form) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  const bool both = form == Base64Form::any;
  if (c == '+' || (both && c == '-')) return 62;
  if (c == '/' || (both && c == '_')) return 63;
  return -1;
}

}  // namespace

std::string base64_encode(std::string_view bytes, Base64Alphabet alphabet) {
  const std::string_view last = last_letters(alphabet);
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  std::uint32_t bits = 0;
  unsigned have = 0;
  const auto put = [&](std::uint32_t six) { out += six < kLetters.size() ? kLetters[six] : last[six - 62]; };
  for (const char c : bytes) {
    bits = bits << 8U | static_cast<unsigned char>(c);
    for (have += 8; have >= 6; have -= 6) put(bits >> (have - 6) & 63U);
  }
  if (have > 0) put(bits << (6 - have) & 63U);
  while (out.size() % 4 != 0) out += '=';
  return out;
}

std::optional<std::string> base64_decode(std::string_view text, Base64Form form) {
  if (form == Base64Form::strict) {
    if (text.empty() || text.size() % 4 != 0) return std::nullopt;
    for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  } else {
    while (text.ends_with('=')) text.remove_suffix(1);
  }
  std::string out;
  out.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  unsigned have = 0;
  for (const char c : text) {
    const int six = six_bits(c, form);
    if (six < 0) return std::nullopt;
    bits = bits << 6U | static_cast<std::uint32_t>(six);
    if ((have += 6) >= 8) out += static_cast<char>(bits >> (have -= 8) & 255U);
  }
  return out;
}

}  // namespace base
