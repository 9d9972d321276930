#include <fmt/format.h>
#include <locale.h>
#include <wctype.h>

#include <algorithm>

#include "go/format.h"

namespace go {
namespace {

// Upper and lower case beyond ASCII need a locale; the process' own stays untouched.
locale_t utf8() {
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return locale;
}
char32_t upper(char32_t c) {
  if (c < 0x80 || utf8() == nullptr) return c >= 'a' && c <= 'z' ? c - 32 : c;
  return static_cast<char32_t>(towupper_l(static_cast<wint_t>(c), utf8()));
}
char32_t lower(char32_t c) {
  if (c < 0x80 || utf8() == nullptr) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  return static_cast<char32_t>(towlower_l(static_cast<wint_t>(c), utf8()));
}
bool printable(char32_t c) {
  if (c < 0x80) return c >= 0x20 && c < 0x7f;
  return utf8() == nullptr || iswprint_l(static_cast<wint_t>(c), utf8()) != 0;
}
bool word_rune(char32_t c) {
  if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  return utf8() == nullptr || iswalnum_l(static_cast<wint_t>(c), utf8()) != 0;
}

template <typename F>
std::string map_runes(std::string_view text, F change) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    std::size_t bytes = 0;
    const char32_t rune = first_rune(text, bytes);
    append_rune(out, change(rune));
    text.remove_prefix(bytes);
  }
  return out;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

const base::Error kBadSyntax{base::Kind::invalid, "invalid syntax"};

// `count` digits of the base after a backslash; -1 if there are fewer.
long digits(std::string_view text, std::size_t count, int base) {
  if (text.size() < count) return -1;
  long n = 0;
  for (const char c : text.substr(0, count)) {
    const int d = hex_digit(c);
    if (d < 0 || d >= base) return -1;
    n = n * base + d;
  }
  return n;
}

bool simple_escape(char c, char quote_mark, std::string& out) {
  static constexpr std::string_view kNames = "abfnrtv\\", kBytes = "\a\b\f\n\r\t\v\\";
  if (const auto at = kNames.find(c); at != std::string_view::npos) out += kBytes[at];
  else if (c == quote_mark) out += c;
  else return false;
  return true;
}

// What follows a backslash: bytes taken, or 0 for an escape that Go does not know.
std::size_t unescape(std::string_view rest, char quote_mark, std::string& out) {
  if (rest.empty()) return 0;
  const char c = rest[0];
  if (simple_escape(c, quote_mark, out)) return 1;
  const auto numeric = [&](std::size_t skip, std::size_t count, int base, bool byte) -> std::size_t {
    const long n = digits(rest.substr(skip), count, base);
    if (n < 0 || (byte && n > 255) || n > 0x10FFFF || (!byte && n >= 0xD800 && n < 0xE000)) return 0;
    if (byte && quote_mark != '\'') out += static_cast<char>(n);
    else append_rune(out, static_cast<char32_t>(n));
    return skip + count;
  };
  if (c == 'x') return numeric(1, 2, 16, true);
  if (c == 'u') return numeric(1, 4, 16, false);
  if (c == 'U') return numeric(1, 8, 16, false);
  if (c >= '0' && c <= '7') return numeric(0, 3, 8, true);
  return 0;
}

}  // namespace

char32_t first_rune(std::string_view text, std::size_t& bytes) {
  const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto tail = [&](std::size_t i) { return (at(i) & 0xC0u) == 0x80u; };
  const unsigned a = at(0);
  bytes = 1;
  if (a < 0x80) return a;
  if (a >= 0xC2 && a < 0xE0 && tail(1)) {
    bytes = 2;
    return ((a & 0x1Fu) << 6) | (at(1) & 0x3Fu);
  }
  if (a >= 0xE0 && a < 0xF0 && tail(1) && tail(2)) {
    const char32_t rune = ((a & 0x0Fu) << 12) | ((at(1) & 0x3Fu) << 6) | (at(2) & 0x3Fu);
    if (rune >= 0x800 && (rune < 0xD800 || rune >= 0xE000)) {
      bytes = 3;
      return rune;
    }
  }
  if (a >= 0xF0 && a < 0xF5 && tail(1) && tail(2) && tail(3)) {
    const char32_t rune = ((a & 0x07u) << 18) | ((at(1) & 0x3Fu) << 12) | ((at(2) & 0x3Fu) << 6) | (at(3) & 0x3Fu);
    if (rune >= 0x10000 && rune <= 0x10FFFF) {
      bytes = 4;
      return rune;
    }
  }
  return 0xFFFD;
}

void append_rune(std::string& out, char32_t rune) {
  const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (rune < 0x80) put(rune);
  else if (rune < 0x800) put(0xC0 | (rune >> 6)), put(0x80 | (rune & 0x3F));
  else if (rune < 0x10000) put(0xE0 | (rune >> 12)), put(0x80 | ((rune >> 6) & 0x3F)), put(0x80 | (rune & 0x3F));
  else
    put(0xF0 | (rune >> 18)), put(0x80 | ((rune >> 12) & 0x3F)), put(0x80 | ((rune >> 6) & 0x3F)),
        put(0x80 | (rune & 0x3F));
}

std::string to_upper(std::string_view text) { return map_runes(text, upper); }
std::string to_lower(std::string_view text) { return map_runes(text, lower); }

std::string title(std::string_view text) {
  bool start = true;
  return map_runes(text, [&](char32_t c) {
    const char32_t out = start ? upper(c) : c;
    start = !word_rune(c);
    return out;
  });
}

std::string quote(std::string_view text) {
  static constexpr std::string_view kNames = "abfnrtv\\\"", kBytes = "\a\b\f\n\r\t\v\\\"";
  std::string out = "\"";
  while (!text.empty()) {
    std::size_t bytes = 0;
    const char32_t rune = first_rune(text, bytes);
    const auto named = rune < 0x80 ? kBytes.find(static_cast<char>(rune)) : std::string_view::npos;
    if (named != std::string_view::npos) out += '\\', out += kNames[named];
    else if (rune == 0xFFFD && bytes == 1)
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(text[0])));
    else if (printable(rune)) out += text.substr(0, bytes);
    else if (rune < 0x80) out += fmt::format("\\x{:02x}", static_cast<unsigned>(rune));
    else if (rune < 0x10000) out += fmt::format("\\u{:04x}", static_cast<unsigned>(rune));
    else out += fmt::format("\\U{:08x}", static_cast<unsigned>(rune));
    text.remove_prefix(bytes);
  }
  return out + '"';
}

base::Result<std::string> unquote(std::string_view literal) {
  if (literal.size() < 2 || literal.front() != literal.back()) return tl::unexpected<base::Error>(kBadSyntax);
  const char mark = literal.front();
  std::string_view inside = literal.substr(1, literal.size() - 2);
  if (mark == '`') {
    std::string raw(inside);
    raw.erase(std::remove(raw.begin(), raw.end(), '\r'), raw.end());
    return raw;
  }
  std::string out;
  while (!inside.empty()) {
    if (inside[0] == mark || inside[0] == '\n') return tl::unexpected<base::Error>(kBadSyntax);
    std::size_t taken = 1;
    if (inside[0] == '\\') {
      taken = unescape(inside.substr(1), mark, out);
      if (taken == 0) return tl::unexpected<base::Error>(kBadSyntax);
      ++taken;
    } else {
      out += inside[0];
    }
    inside.remove_prefix(taken);
  }
  return out;
}

std::string query_escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
                       c == '_' || c == '.' || c == '~';
    if (plain) out += c;
    else if (c == ' ') out += '+';
    else out += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
  return out;
}

}  // namespace go
