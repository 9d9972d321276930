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
