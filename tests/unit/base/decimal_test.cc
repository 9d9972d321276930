#include "base/decimal.h"

#include <doctest/doctest.h>

#include <initializer_list>

TEST_CASE("a plain decimal has the shortest digits, then zeros") {
  struct Row {
    double v;
    const char* text;
  };
  for (const Row& row :
       {Row{0, "0"}, Row{-0.0, "-0"}, Row{1.5, "1.5"}, Row{1e-7, "0.0000001"}, Row{0x1p53, "9007199254740992"},
        Row{0x1p53 - 1, "9007199254740991"}, Row{0x1p62, "4611686018427388000"}, Row{-0x1p62, "-4611686018427388000"},
        Row{1e22, "10000000000000000000000"}, Row{123456789012345678.0, "123456789012345680"}}) {
    CAPTURE(row.v);
    CHECK(base::plain_decimal(row.v) == row.text);
  }
  CHECK(base::plain_decimal(1e308).size() == 309);
}
