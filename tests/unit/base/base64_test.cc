#include "base/base64.h"

#include <doctest/doctest.h>

#include <string>

using base::Base64Alphabet;
using base::Base64Form;

TEST_CASE("base64 goes both ways") {
  for (const std::string& bytes :
       {std::string("a"), std::string("ab"), std::string("abc"), std::string("\0\xff\x7f\0", 4)}) {
    CAPTURE(bytes);
    CHECK(base::base64_decode(base::base64_encode(bytes)) == bytes);
    CHECK(base::base64_decode(base::base64_encode(bytes, Base64Alphabet::url), Base64Form::any) == bytes);
  }
  CHECK(base::base64_encode("") == "");
  CHECK(base::base64_encode("ab") == "YWI=");
  CHECK(base::base64_encode("\xfb\xff\xbf\xff") == "+/+//w==");
  CHECK(base::base64_encode("\xfb\xff\xbf\xff", Base64Alphabet::url) == "-_-__w==");
}

TEST_CASE("what base64 a reader takes is said by its form") {
  struct Row {
    const char* text;
    const char *strict, *unpadded, *any;  // null where it is refused
  };
  for (const Row& row : {
           Row{"YWI=", "ab", "ab", "ab"},
           Row{"YQ==", "a", "a", "a"},
           Row{"YWI", nullptr, "ab", "ab"},
           Row{"+/+/", "\xfb\xff\xbf", "\xfb\xff\xbf", "\xfb\xff\xbf"},
           Row{"-_-_", nullptr, nullptr, "\xfb\xff\xbf"},
           Row{"", nullptr, "", ""},
           Row{"YW=I", nullptr, nullptr, nullptr},
           Row{"Y===", nullptr, "", ""},
           Row{"Y!I=", nullptr, nullptr, nullptr},
           Row{"a b", nullptr, nullptr, nullptr},
           Row{" YWI=   ", nullptr, nullptr, nullptr},
           Row{"YWI=\n", nullptr, nullptr, nullptr},
       }) {
    CAPTURE(row.text);
    const auto want = [](const char* text) { return text ? std::optional<std::string>(text) : std::nullopt; };
    CHECK(base::base64_decode(row.text) == want(row.strict));
    CHECK(base::base64_decode(row.text, Base64Form::unpadded) == want(row.unpadded));
    CHECK(base::base64_decode(row.text, Base64Form::any) == want(row.any));
  }
}
