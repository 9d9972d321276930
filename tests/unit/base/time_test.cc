#include "base/time.h"

#include <doctest/doctest.h>

TEST_CASE("a duration reads as Prometheus reads it and prints in its shortest exact form") {
  struct Row {
    const char* text;
    long long ms;
    const char* printed;
  };
  for (const Row& row :
       {Row{"500ms", 500, "500ms"}, Row{"90s", 90'000, "1m30s"}, Row{"1h30m", 5'400'000, "1h30m"},
        Row{"1.5s", 1'500, "1s500ms"}, Row{"0", 0, "0s"}, Row{"0s", 0, "0s"}, Row{"1d", 86'400'000, "1d"},
        Row{"2w", 1'209'600'000, "2w"}, Row{"30d", 2'592'000'000, "30d"}, Row{"1m1ms", 60'001, "1m1ms"}}) {
    CAPTURE(row.text);
    const auto parsed = base::parse_duration(row.text);
    REQUIRE(parsed.has_value());
    CHECK(parsed->count() == row.ms);
    CHECK(base::format_duration(*parsed) == row.printed);
  }
}

TEST_CASE("what is no duration is refused with a hint") {
  for (const char* text : {"", "5", "s", "5x", "1s1h", "1h1h", "-5s", "1.5h30m", "1 s", "99999999999999999999s", "293y",
                           "10000y", "292y60w"}) {
    CAPTURE(text);
    CHECK_FALSE(base::parse_duration(text).has_value());
  }
  CHECK(base::parse_duration("5").error().text ==
        "'5' is not a duration; write a number and a unit, such as 500ms, 5s or 1h30m");
}

TEST_CASE("an instant prints as RFC 3339 in UTC and reads back, with zones") {
  const auto t = base::wall_from_ms(1'795'415'385'123);
  CHECK(base::format_iso8601(t) == "2026-11-23T06:29:45.123Z");
  CHECK(*base::parse_iso8601("2026-11-23T06:29:45.123Z") == t);
  CHECK(*base::parse_iso8601("2026-11-23T07:29:45.123+01:00") == t);
  for (const char* text : {"2026-11-23", "2026-13-01T00:00:00Z", "2026-11-23T06:29:45", "2026-11-23T06:29:45.Z", "x"}) {
    CAPTURE(text);
    CHECK_FALSE(base::parse_iso8601(text).has_value());
  }
}
