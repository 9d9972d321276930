#include "base/ascii.h"

#include <doctest/doctest.h>

TEST_CASE("words of a protocol are compared without regard to the case of ASCII letters, and of no others") {
  struct Row {
    const char* a;
    const char* b;
    bool want;
  };
  for (const Row& row : {Row{"Content-Type", "content-TYPE", true}, Row{"", "", true}, Row{"Host", "Hosts", false},
                         Row{"@", "`", false}, Row{"[", "{", false}, Row{"\xc3\x84", "\xc3\xa4", false}}) {
    CAPTURE(row.a);
    CAPTURE(row.b);
    CHECK(base::same_word(row.a, row.b) == row.want);
  }
}

TEST_CASE("lower case leaves everything but A to Z as it is") {
  CHECK(base::lower_case("Set-Cookie: AZ@[\xc3\x84") == "set-cookie: az@[\xc3\x84");
}

TEST_CASE("blanks at both ends go, the default's or those that are named") {
  CHECK(base::trim(" \ta b\t ") == "a b");
  CHECK(base::trim("a\r") == "a\r");
  CHECK(base::trim("\r\n a\r\n", " \r\n") == "a");
  CHECK(base::trim(" \t ") == "");
  CHECK(base::trim("") == "");
}

TEST_CASE("letters and digits are those of ASCII") {
  CHECK(base::is_digit('0'));
  CHECK_FALSE(base::is_digit(':'));
  CHECK(base::is_alphanumeric('Z'));
  CHECK_FALSE(base::is_alphanumeric('\xe4'));
  CHECK(base::hex_digit('f') == 15);
  CHECK(base::hex_digit('A') == 10);
  CHECK(base::hex_digit('g') == -1);
}

TEST_CASE("what stands before a separator is taken off the front, and the separator with it") {
  std::string_view text = "a=b=;=";
  CHECK(base::take_until(text, '=') == "a");
  CHECK(base::take_until(text, ';') == "b=");
  CHECK(base::take_until(text, '=') == "");
  CHECK(text == "");
  CHECK(base::take_until(text, '=') == "");
  std::string_view lines = "one\n\nthree";
  CHECK(base::take_line(lines) == "one");
  CHECK(base::take_line(lines) == "");
  CHECK(base::take_line(lines) == "three");
  CHECK(lines == "");
}
