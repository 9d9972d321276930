#include "model/matcher.h"

#include <doctest/doctest.h>

using model::Labels;
using model::Matcher;
using model::MatchOp;

TEST_CASE("a matcher sees an absent label as empty") {
  struct Row {
    MatchOp op;
    const char* value;
    const char* label;
    bool want;
  };
  for (const Row& row : {Row{MatchOp::equal, "", "", true}, Row{MatchOp::equal, "x", "", false},
                         Row{MatchOp::not_equal, "x", "", true}, Row{MatchOp::matches, "x|y", "y", true},
                         Row{MatchOp::matches, "x", "xx", false}, Row{MatchOp::matches, ".*", "", true},
                         Row{MatchOp::not_matches, ".+", "", true}, Row{MatchOp::not_matches, "x.*", "xy", false}}) {
    const auto matcher = Matcher::make(row.op, "job", row.value);
    REQUIRE(matcher.has_value());
    CAPTURE(matcher->to_string());
    CAPTURE(row.label);
    CHECK(matcher->matches(row.label) == row.want);
    CHECK(model::matches_all({*matcher}, Labels{{"job", row.label}}) == row.want);
  }
}

TEST_CASE("a matcher prints as it is written and refuses a bad pattern") {
  CHECK(Matcher::make(MatchOp::not_matches, "a", "b\"c")->to_string() == R"(a!~"b\"c")");
  CHECK_FALSE(Matcher::make(MatchOp::matches, "a", "(").has_value());
}
