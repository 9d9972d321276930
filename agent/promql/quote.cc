#include "promql/quote.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

#include "base/ascii.h"
#include "base/decimal.h"

namespace promql {
namespace {

constexpr std::string_view kEscaped = "\a\b\f\n\r\t\v";
constexpr std::string_view kLetters = "abfnrtv";

bool printable(std::uint32_t rune) {
  if (rune < 0x20 || (rune >= 0x7f && rune < 0xa1) || rune == 0xad) return false;
  if ((rune >= 0x200b && rune <= 0x200f) || (rune >= 0x2028 && rune <= 0x202f) || (rune >= 0x2060 && rune <= 0x206f))
    return false;
  return rune != 0xfeff && !(rune >= 0xe000 && rune <= 0xf8ff) && rune < 0xe0000;
}

void append_escaped(std::string& out, std::uint32_t rune, char delimiter) {
  if (rune == static_cast<unsigned char>(delimiter) || rune == '\\') {
    out += '\\';
    out += static_cast<char>(rune);
    return;
  }
  if (printable(rune)) {
    append_rune(out, rune);
    return;
  }
  const std::size_t named = rune < 0x80 ? kEscaped.find(static_cast<char>(rune)) : std::string_view::npos;
  if (named != std::string_view::npos) {
    out += '\\';
    out += kLetters[named];
  } else if (rune < 0x80) {
    out += fmt::format("\\x{:02x}", rune);
  } else if (rune < 0x10000) {
    out += fmt::format("\\u{:04x}", rune);
  } else {
    out += fmt::format("\\U{:08x}", rune);
  }
}

}  // namespace

std::int32_t decode_rune(std::string_view text, std::size_t& width) {
  const auto byte = [&](std::size_t i) -> std::uint32_t { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xc0) == 0x80; };
  width = 1;
  const std::uint32_t first = byte(0);
  if (first < 0x80) return static_cast<std::int32_t>(first);
  std::size_t length = 0;
  std::uint32_t rune = 0;
  std::uint32_t least = 0;
  if ((first & 0xe0) == 0xc0) {
    length = 2;
    rune = first & 0x1f;
    least = 0x80;
  } else if ((first & 0xf0) == 0xe0) {
    length = 3;
    rune = first & 0x0f;
    least = 0x800;
  } else if ((first & 0xf8) == 0xf0) {
    length = 4;
    rune = first & 0x07;
    least = 0x10000;
  } else {
    return kBadRune;
  }
  for (std::size_t i = 1; i < length; ++i) {
    if (!continues(i)) return kBadRune;
    rune = (rune << 6) | (byte(i) & 0x3f);
  }
  if (rune < least || rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) return kBadRune;
  width = length;
  return static_cast<std::int32_t>(rune);
}

void append_rune(std::string& out, std::uint32_t rune) {
  if (rune < 0x80) {
    out += static_cast<char>(rune);
  } else if (rune < 0x800) {
    out += static_cast<char>(0xc0 | (rune >> 6));
    out += static_cast<char>(0x80 | (rune & 0x3f));
  } else if (rune < 0x10000) {
    out += static_cast<char>(0xe0 | (rune >> 12));
    out += static_cast<char>(0x80 | ((rune >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (rune & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (rune >> 18));
    out += static_cast<char>(0x80 | ((rune >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((rune >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (rune & 0x3f));
  }
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    std::size_t width = 0;
    const std::int32_t rune = decode_rune(text, width);
    if (rune == kBadRune && width == 1) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
    else append_escaped(out, static_cast<std::uint32_t>(rune), '"');
    text.remove_prefix(width);
  }
  return out + '"';
}

std::string quote_shortened(std::string_view text) {
  if (text.size() <= 10) return quote(text);
  std::size_t end = 0;
  for (int runes = 0; runes < 10 && end < text.size(); ++runes) {
    std::size_t width = 0;
    decode_rune(text.substr(end), width);
    end += width;
  }
  return quote(text.substr(0, end)) + "...";
}

std::string quote_rune(std::int32_t rune) {
  std::string out = "'";
  append_escaped(out, static_cast<std::uint32_t>(rune < 0 ? kBadRune : rune), '\'');
  return out + '\'';
}

std::string unicode_name(std::int32_t rune) {
  std::string out = fmt::format("U+{:04X}", rune);
  if (printable(static_cast<std::uint32_t>(rune))) {
    out += " '";
    append_rune(out, static_cast<std::uint32_t>(rune));
    out += '\'';
  }
  return out;
}

std::string unquote(std::string_view literal) {
  const char delimiter = literal.front();
  literal = literal.substr(1, literal.size() - 2);
  if (delimiter == '`') return std::string(literal);
  std::string out;
  for (std::size_t i = 0; i < literal.size();) {
    if (literal[i] != '\\') {
      out += literal[i++];
      continue;
    }
    const char c = literal[i + 1];
    i += 2;
    if (const std::size_t named = kLetters.find(c); named != std::string_view::npos) {
      out += kEscaped[named];
      continue;
    }
    std::size_t digits = 0;
    int base = 16;
    if (c == 'x') digits = 2;
    else if (c == 'u') digits = 4;
    else if (c == 'U') digits = 8;
    else if (c >= '0' && c <= '7') {
      digits = 3;
      base = 8;
      --i;
    }
    if (digits == 0) {
      out += c;
      continue;
    }
    std::uint32_t value = 0;
    std::from_chars(literal.data() + i, literal.data() + i + digits, value, base);
    i += digits;
    if (c == 'u' || c == 'U') append_rune(out, value);
    else out += static_cast<char>(value);
  }
  return out;
}

std::string format_general(double v) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v > 0 ? "+Inf" : "-Inf";
  const double magnitude = std::abs(v);
  if (v == 0 || (magnitude >= 1e-4 && magnitude < 1e6)) return base::plain_decimal(v);
  std::array<char, 64> buffer;
  return {buffer.data(),
          std::to_chars(buffer.data(), buffer.data() + buffer.size(), v, std::chars_format::scientific).ptr};
}

std::string format_plain(double v) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v > 0 ? "+Inf" : "-Inf";
  return base::plain_decimal(v);
}

bool read_float(std::string_view text, double& out) {
  std::string_view rest = text;
  double sign = 1;
  if (!rest.empty() && (rest[0] == '+' || rest[0] == '-')) {
    sign = rest[0] == '-' ? -1 : 1;
    rest.remove_prefix(1);
  }
  std::string lower = base::lower_case(rest);
  if (lower == "inf" || lower == "infinity" || lower == "nan") {
    out = lower == "nan" ? std::nan("") : sign * INFINITY;
    return true;
  }
  auto format = std::chars_format::general;
  if (lower.starts_with("0x")) {
    format = std::chars_format::hex;
    lower.erase(0, 2);
    if (lower.find('p') == std::string::npos) return false;
  }
  if (lower.empty() || !(std::isxdigit(static_cast<unsigned char>(lower[0])) || lower[0] == '.')) return false;
  double value = 0;
  const char* const last = lower.data() + lower.size();
  const auto [end, ec] = std::from_chars(lower.data(), last, value, format);
  if (end != last) return false;
  if (ec == std::errc::result_out_of_range) {
    // from_chars says the same for too large and too small; Go takes the small one for zero.
    const std::size_t exponent = lower.find_first_of("ep");
    const bool tiny = exponent != std::string::npos && lower.substr(exponent + 1).starts_with('-');
    if (!tiny) return false;
    value = 0;
  } else if (ec != std::errc{}) {
    return false;
  }
  out = sign * value;
  return true;
}

}  // namespace promql
