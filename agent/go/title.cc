// title of Prometheus 3: words as golang.org/x/text/cases finds them. The first cased letter of a word changes,
// wherever it stands in it (5xx is 5Xx), and all others stay.
#include <algorithm>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "base/rune.h"
#include "go/format.h"
#include "go/runes.h"

namespace go {
namespace {

using Range = std::pair<char32_t, char32_t>;

template <std::size_t N>
bool within(char32_t c, const Range (&ranges)[N]) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [c](const Range& range) { return c >= range.first && c <= range.second; });
}

// Marks and format characters: neither begin nor end a word.
constexpr Range kMarks[] = {{0xad, 0xad},     {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},
                            {0x64b, 0x65f},   {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200c, 0x200f}, {0x202a, 0x202e},
                            {0x2060, 0x2064}, {0x20d0, 0x20f0}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}};
// Scripts without blanks between words: every character is one.
constexpr Range kWordEach[] = {{0xe00, 0xeff},   {0x1000, 0x109f}, {0x1780, 0x17ff},
                               {0x2e80, 0xa4cf}, {0xf900, 0xfaff}, {0x20000, 0x3ffff}};
// One of these inside a word does not end it: . ' : and those of other scripts.
constexpr Range kMiddle[] = {{'.', '.'},       {'\'', '\''},     {':', ':'},       {0xb7, 0xb7},
                             {0x387, 0x387},   {0x55f, 0x55f},   {0x5f4, 0x5f4},   {0x2018, 0x2019},
                             {0x2024, 0x2024}, {0x2027, 0x2027}, {0xfe13, 0xfe13}, {0xfe52, 0xfe52},
                             {0xfe55, 0xfe55}, {0xff07, 0xff07}, {0xff0e, 0xff0e}, {0xff1a, 0xff1a}};
// Lower case without an upper one.
constexpr Range kSmall[] = {{0xaa, 0xaa},     {0xba, 0xba},     {0x2b0, 0x2b8},    {0x2c0, 0x2c1},   {0x2e0, 0x2e4},
                            {0x1d2c, 0x1d6a}, {0x1d78, 0x1d78}, {0x1d9b, 0x1dbf},  {0x2071, 0x2071}, {0x207f, 0x207f},
                            {0x2090, 0x209c}, {0xfb00, 0xfb06}, {0x1d400, 0x1d6a5}};

// Where upper case is not title case.
std::optional<std::string_view> own_title(char32_t c) {
  switch (c) {
    case 0xdf: return "Ss";
    case 0x149: return "\u02bcN";
    case 0x1c4:
    case 0x1c5:
    case 0x1c6: return "\u01c5";
    case 0x1c7:
    case 0x1c8:
    case 0x1c9: return "\u01c8";
    case 0x1ca:
    case 0x1cb:
    case 0x1cc: return "\u01cb";
    case 0x1f1:
    case 0x1f2:
    case 0x1f3: return "\u01f2";
    case 0xfb00: return "Ff";
    case 0xfb01: return "Fi";
    case 0xfb02: return "Fl";
    case 0xfb03: return "Ffi";
    case 0xfb04: return "Ffl";
    case 0xfb05:
    case 0xfb06: return "St";
    default: return std::nullopt;
  }
}

bool cased(char32_t c) { return upper(c) != c || lower(c) != c || own_title(c) || within(c, kSmall); }

}  // namespace

std::string title_of_words(std::string_view text) {
  std::string out;
  bool titled = false;      // the word's first cased letter is behind us
  bool was_middle = false;  // two of them end a word
  while (!text.empty()) {
    std::size_t bytes = 0;
    const char32_t c = base::first_rune(text, bytes);
    text.remove_prefix(bytes);
    if (within(c, kMarks)) {
      base::append_rune(out, c);
      continue;
    }
    const bool middle = within(c, kMiddle);
    const bool of_word = !within(c, kWordEach) && (word_rune(c) || cased(c));
    if ((middle && was_middle) || (!middle && !of_word)) titled = false;
    was_middle = middle;
    if (!of_word || titled || !cased(c)) {
      base::append_rune(out, c);
      continue;
    }
    titled = true;
    if (const auto special = own_title(c)) out += *special;
    else base::append_rune(out, upper(c));
  }
  return out;
}

}  // namespace go
