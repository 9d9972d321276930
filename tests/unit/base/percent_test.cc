#include "base/percent.h"

#include <doctest/doctest.h>

#include <string>

TEST_CASE("a value in a URL or a form is written with escapes") {
  CHECK(base::percent_encode("a b/ü?&=~+") == "a%20b%2F%C3%BC%3F%26%3D~%2B");
  CHECK(base::form_encode("a b/ü?&=~+") == "a+b%2F%C3%BC%3F%26%3D~%2B");
  CHECK(base::percent_encode(std::string("-._~AZaz09\0", 11)) == "-._~AZaz09%00");
}

TEST_CASE("escapes are read, and broken ones stay as they are") {
  struct Row {
    const char *text, *url, *form;
  };
  for (const Row& row : {
           Row{"a%20b+c%2", "a b+c%2", "a b c%2"},
           Row{"%zz", "%zz", "%zz"},
           Row{"%C3%bc", "ü", "ü"},
           Row{"%2", "%2", "%2"},
           Row{"%%41", "%A", "%A"},
           Row{"%2x%41", "%2xA", "%2xA"},
           Row{"%2B", "+", "+"},
       }) {
    CAPTURE(row.text);
    CHECK(base::percent_decode(row.text) == row.url);
    CHECK(base::form_decode(row.text) == row.form);
  }
}
