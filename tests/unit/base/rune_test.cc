#include "base/rune.h"

#include <doctest/doctest.h>

#include <string>

TEST_CASE("characters are taken off UTF-8 and put back as they were") {
  struct Row {
    const char* text;
    char32_t rune;
    std::size_t bytes;
  };
  for (const Row& row : {
           Row{"az", U'a', 1},
           Row{"\u00fcx", U'\u00fc', 2},
           Row{"\u07ff", U'\u07ff', 2},
           Row{"\u0800", U'\u0800', 3},
           Row{"\uffff", U'\uffff', 3},
           Row{"\U00010000", U'\U00010000', 4},
           Row{"\U0010ffff", U'\U0010ffff', 4},
       }) {
    CAPTURE(row.text);
    std::size_t bytes = 0;
    CHECK(base::first_rune(row.text, bytes) == row.rune);
    CHECK(bytes == row.bytes);
    std::string back;
    base::append_rune(back, row.rune);
    CHECK(back == std::string(row.text).substr(0, row.bytes));
  }
}

TEST_CASE("bytes that are no character are taken one by one") {
  for (const char* text :
       {"\x80", "\xff", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82z"}) {
    CAPTURE(text);
    std::size_t bytes = 0;
    CHECK(base::first_rune(text, bytes) == base::kBadRune);
    CHECK(bytes == 1);
  }
}
