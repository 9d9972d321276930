#include "base/number.h"

#include <doctest/doctest.h>

#include <cstdint>

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
