#include "base/number.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string_view>

TEST_CASE("a number is the whole text, and fits") {
  CHECK(base::read_number<int>("-12") == -12);
  CHECK(base::read_number<double>("1.5e3") == 1500);
  CHECK(base::read_number<std::uint16_t>("65535") == 65535);
  CHECK(base::read_number<std::size_t>("ff", 16) == 255U);
  for (const char* text : {"", " 1", "1 ", "+1", "1x", "x", "1.5", "99999999999"}) {
    CAPTURE(text);
    CHECK_FALSE(base::read_number<int>(text).has_value());
  }
  CHECK_FALSE(base::read_number<std::uint16_t>("65536").has_value());
  CHECK_FALSE(base::read_number<std::uint16_t>("-1").has_value());
  CHECK_FALSE(base::read_number<double>("1e999").has_value());
}

TEST_CASE("a number at the beginning of a text is cut off, and what is none stays") {
  std::string_view text = "12.5 ms";
  CHECK(base::leading_number<int>(text) == 12);
  CHECK(base::take_number<double>(text) == 12.5);
  CHECK(text == " ms");
  for (const std::string_view none : {"", " 1", "x1", "+1", "99999999999 left"}) {
    CAPTURE(none);
    std::string_view left = none;
    CHECK_FALSE(base::take_number<int>(left).has_value());
    CHECK(left == none);
    CHECK_FALSE(base::leading_number<int>(none).has_value());
  }
}
