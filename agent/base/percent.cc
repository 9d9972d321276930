#include "base/percent.h"

#include "base/ascii.h"

namespace base {
namespace {

constexpr std::string_view kHex = "0123456789ABCDEF";

// `blank` is how a blank is written; '\0': escaped as all else.
std::string encode(std::string_view text, char blank) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~') out += c;
    else if (c == ' ' && blank != '\0') out += blank;
    else ((out += '%') += kHex[byte >> 4U]) += kHex[byte & 15U];
  }
  return out;
}

std::string decode(std::string_view text, char blank) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high < 0 ? -1 : hex_digit(text[i + 2]);
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i] == blank ? ' ' : text[i];
    }
  }
  return out;
}

}  // namespace

std::string percent_encode(std::string_view text) { return encode(text, '\0'); }
std::string form_encode(std::string_view text) { return encode(text, '+'); }
std::string percent_decode(std::string_view text) { return decode(text, ' '); }
std::string form_decode(std::string_view text) { return decode(text, '+'); }

}  // namespace base
