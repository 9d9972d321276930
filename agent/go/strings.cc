#include <fmt/format.h>
#include <locale.h>
#include <wctype.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "base/rune.h"
#include "go/format.h"
#include "go/runes.h"

namespace go {
namespace {

// Upper and lower case beyond ASCII need a locale; the process' own stays untouched.
locale_t utf8() {
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return locale;
}
// What the C library prints and unicode.IsPrint does not: blanks but the usual one, format characters and those of
// private use.
constexpr std::pair<char32_t, char32_t> kUnprinted[] = {
    {0xa0, 0xa0},       {0xad, 0xad},        {0x600, 0x605},     {0x61c, 0x61c},     {0x6dd, 0x6dd},
    {0x70f, 0x70f},     {0x890, 0x891},      {0x8e2, 0x8e2},     {0x1680, 0x1680},   {0x180e, 0x180e},
    {0x2000, 0x200f},   {0x202a, 0x202f},    {0x205f, 0x2064},   {0x2066, 0x206f},   {0x3000, 0x3000},
    {0xe000, 0xf8ff},   {0xfeff, 0xfeff},    {0xfff9, 0xfffb},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd},
    {0x13430, 0x13438}, {0x1bca0, 0x1bca3},  {0x1d173, 0x1d17a}, {0xe0001, 0xe0001}, {0xe0020, 0xe007f},
    {0xf0000, 0xffffd}, {0x100000, 0x10fffd}};

bool printable(char32_t c) {
  if (c < 0x80) return c >= 0x20 && c < 0x7f;
  const auto holds = [c](const auto& range) { return c >= range.first && c <= range.second; };
  if (std::any_of(std::begin(kUnprinted), std::end(kUnprinted), holds)) return false;
  return utf8() == nullptr || iswprint_l(static_cast<wint_t>(c), utf8()) != 0;
}
template <typename F>
std::string map_runes(std::string_view text, F change) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    std::size_t bytes = 0;
    const char32_t rune = base::first_rune(text, bytes);
    base::append_rune(out, change(rune));
    text.remove_prefix(bytes);
  }
  return out;
}

void append_escaped(std::string& out, char32_t rune, char quote_mark) {
  static constexpr std::string_view kNames = "abfnrtv\\", kBytes = "\a\b\f\n\r\t\v\\";
  const auto named = rune < 0x80 ? kBytes.find(static_cast<char>(rune)) : std::string_view::npos;
  if (named != std::string_view::npos) (out += '\\') += kNames[named];
  else if (rune == static_cast<unsigned char>(quote_mark)) (out += '\\') += quote_mark;
  else if (printable(rune)) base::append_rune(out, rune);
  else if (rune < 0x80) out += fmt::format("\\x{:02x}", static_cast<unsigned>(rune));
  else if (rune < 0x10000) out += fmt::format("\\u{:04x}", static_cast<unsigned>(rune));
  else out += fmt::format("\\U{:08x}", static_cast<unsigned>(rune));
}

const base::Error kBadSyntax{base::Kind::invalid, "invalid syntax"};

// `count` digits of the base after a backslash; -1 if there are fewer.
long digits(std::string_view text, std::size_t count, int base) {
  if (text.size() < count) return -1;
  long n = 0;
  for (const char c : text.substr(0, count)) {
    const int d = base::hex_digit(c);
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

}  // namespace

char32_t upper(char32_t c) {
  if (c < 0x80 || utf8() == nullptr) return c >= 'a' && c <= 'z' ? c - 32 : c;
  return static_cast<char32_t>(towupper_l(static_cast<wint_t>(c), utf8()));
}
char32_t lower(char32_t c) {
  if (c < 0x80 || utf8() == nullptr) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  return static_cast<char32_t>(towlower_l(static_cast<wint_t>(c), utf8()));
}
bool word_rune(char32_t c) {
  if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  return utf8() == nullptr || iswalnum_l(static_cast<wint_t>(c), utf8()) != 0;
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
  std::string out = "\"";
  while (!text.empty()) {
    std::size_t bytes = 0;
    const char32_t rune = base::first_rune(text, bytes);
    if (rune == base::kBadRune && bytes == 1)
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(text[0])));
    else append_escaped(out, rune, '"');
    text.remove_prefix(bytes);
  }
  return out + '"';
}

std::string quote_shortened(std::string_view text) {
  constexpr std::size_t kShown = 10;
  if (text.size() <= kShown) return quote(text);
  std::size_t end = 0;
  for (std::size_t runes = 0; runes < kShown && end < text.size(); ++runes) {
    std::size_t bytes = 0;
    base::first_rune(text.substr(end), bytes);
    end += bytes;
  }
  return quote(text.substr(0, end)) + "...";
}

std::string quote_rune(char32_t rune) {
  std::string out = "'";
  const bool none = rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000);
  append_escaped(out, none ? base::kBadRune : rune, '\'');
  return out + '\'';
}

std::string unicode_name(char32_t rune) {
  std::string out = fmt::format("U+{:04X}", static_cast<unsigned>(rune));
  if (!printable(rune)) return out;
  out += " '";
  base::append_rune(out, rune);
  return out + '\'';
}

std::size_t unescape(std::string_view rest, char quote_mark, std::string& out) {
  if (rest.empty()) return 0;
  const char c = rest[0];
  if (simple_escape(c, quote_mark, out)) return 1;
  const auto numeric = [&](std::size_t skip, std::size_t count, int base, bool byte) -> std::size_t {
    const long n = digits(rest.substr(skip), count, base);
    if (n < 0 || (byte && n > 255) || n > 0x10FFFF || (!byte && n >= 0xD800 && n < 0xE000)) return 0;
    if (byte && quote_mark != '\'') out += static_cast<char>(n);
    else base::append_rune(out, static_cast<char32_t>(n));
    return skip + count;
  };
  if (c == 'x') return numeric(1, 2, 16, true);
  if (c == 'u') return numeric(1, 4, 16, false);
  if (c == 'U') return numeric(1, 8, 16, false);
  if (c >= '0' && c <= '7') return numeric(0, 3, 8, true);
  return 0;
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

}  // namespace go
