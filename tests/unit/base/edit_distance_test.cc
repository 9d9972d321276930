#include "base/edit_distance.h"

#include <doctest/doctest.h>

#include <array>

TEST_CASE("the nearest known word is offered only when it is a plausible slip") {
  const std::array<std::string, 4> known{"interval", "timeout", "failure_threshold", "url"};
  struct Row {
    const char* wrong;
    const char* want;
  };
  for (const Row& row :
       {Row{"intervall", "interval"}, Row{"timeuot", "timeout"}, Row{"failure_treshold", "failure_threshold"},
        Row{"failures_thresholds", "failure_threshold"}, Row{"banana", ""}, Row{"xyz", ""}, Row{"ulr", "url"}}) {
    CAPTURE(row.wrong);
    CHECK(base::nearest(row.wrong, known) == row.want);
  }
}
