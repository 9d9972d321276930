#include "base/text.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace std::string_literals;

TEST_CASE("bytes that are no UTF-8 become U+FFFD one by one, as in Go") {
  struct Row {
    const char* name;
    std::string bytes, want;
  };
  for (const Row& row :
       {Row{"ASCII", "plain", "plain"}, Row{"UTF-8 of all lengths", "aé€😀", "aé€😀"},
        Row{"ISO 8859-1", "caf\xe9 ok", "caf\ufffd ok"}, Row{"an overlong slash", "\xc0\xaf", "\ufffd\ufffd"},
        Row{"an overlong form of three", "\xe0\x80\xaf", "\ufffd\ufffd\ufffd"},
        Row{"a surrogate", "\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
        Row{"above U+10FFFF", "\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd"},
        Row{"a cut character", "\xe2\x82", "\ufffd\ufffd"}, Row{"a lone continuation", "a\x80", "a\ufffd"},
        Row{"behind eight bytes of ASCII", "12345678\xff", "12345678\ufffd"},
        Row{"a byte in the middle of eight",
            "1234\xff"
            "678",
            "1234\ufffd678"}}) {
    CAPTURE(row.name);
    CHECK(base::valid_utf8(row.bytes) == row.want);
    CHECK((base::valid_utf8_prefix(row.bytes) == row.bytes.size()) == (row.bytes == row.want));
  }
}

TEST_CASE("what steers a terminal, ends a line or turns the direction is written out") {
  struct Row {
    std::string bytes, text, lines;
  };
  for (const Row& row : {Row{"\x1b[2J", "\\x1b[2J", "\\x1b[2J"}, Row{"a\nb\tc\r\n", "a\\nb\\tc\\r\\n", "a\nb\tc\\r\n"},
                         Row{"a\0b"s, "a\\x00b", "a\\x00b"}, Row{"\x7f", "\\u007f", "\\u007f"},
                         Row{"\u009b2J", "\\u009b2J", "\\u009b2J"}, Row{"\u202egpj", "\\u202egpj", "\\u202egpj"},
                         Row{"\u2066x", "\\u2066x", "\\u2066x"}, Row{"a\u2028b", "a\\u2028b", "a\\u2028b"},
                         Row{"\U000e0041", "\\U000e0041", "\\U000e0041"},
                         Row{"\x9b"
                             "2J",
                             "\ufffd2J", "\ufffd2J"},
                         Row{"naïve 😀", "naïve 😀", "naïve 😀"}}) {
    CAPTURE(row.bytes);
    CHECK(base::foreign_text(row.bytes, 100) == row.text);
    CHECK(base::foreign_lines(row.bytes, 100) == row.lines);
  }
}

TEST_CASE("a text is cut between characters, and says that it was") {
  CHECK(base::foreign_text("12345678", 8) == "12345678");
  CHECK(base::foreign_text("123456789", 8) == "12345…");
  CHECK(base::foreign_text("éééé", 7) == "éé…");
  CHECK(base::foreign_text("éééé", 8) == "éééé");
  CHECK(base::foreign_text("12345\x1bx", 8) == "12345…");
  CHECK(base::foreign_text(std::string(1 << 20, '\xff'), 4096).size() <= 4096);
  CHECK(base::foreign_text("abc", 2) == "");
  CHECK(base::cut("é", 1) == "");
  CHECK(base::cut("aé", 3) == "aé");
  CHECK(base::cut("aéb", 3) == "aé");
}

TEST_CASE("a comment that is too long is refused with its size") {
  CHECK(base::parse_comment("deploy\x1b[2J\nby me").value() == "deploy\\x1b[2J\nby me");
  CHECK(base::parse_comment(std::string(base::kCommentLimit, 'x')).has_value());
  const auto refused = base::parse_comment(std::string(921'600, 'x'));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().text == "the comment has 921600 bytes; it may have 1024");
}

TEST_CASE("a text is shortened between two characters, with a mark") {
  CHECK(base::shortened("aüb", 4) == "aüb");
  CHECK(base::shortened("aübcd", 5) == "a…");
  CHECK(base::shortened("aübcde", 6) == "aü…");
  CHECK(base::shortened("abc", 2) == "ab");
}

TEST_CASE("a first line ends at its end or, between two characters, at the limit") {
  CHECK(base::first_line("nginx: [emerg] no\nmore", 300) == "nginx: [emerg] no");
  CHECK(base::first_line("one\r\ntwo", 300) == "one");
  CHECK(base::first_line("\nlate", 300) == "");
  CHECK(base::first_line("aübcd\nmore", 5) == "a…");
  CHECK(base::first_line("aübcde\nmore", 6) == "aü…");
}
