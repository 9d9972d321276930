#include "model/outcome.h"

#include <doctest/doctest.h>

TEST_CASE("every reason has a name of its own that reads back") {
  for (const model::Reason reason : model::all_reasons()) {
    CAPTURE(model::to_string(reason));
    CHECK(!model::to_string(reason).empty());
    CHECK(model::parse_reason(model::to_string(reason)) == reason);
  }
  CHECK(model::all_reasons().size() == 27);
  CHECK_FALSE(model::parse_reason("banana").has_value());
}
