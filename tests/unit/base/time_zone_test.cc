#include "base/time_zone.h"

#include <doctest/doctest.h>

using base::TimeZone;
using namespace std::chrono;

namespace {

std::string utc(base::WallTime t) { return base::format_iso8601(t); }

}  // namespace

TEST_CASE("a zone's day begins when its own clock says so") {
  const auto auckland = TimeZone::named("Pacific/Auckland");
  REQUIRE(auckland.has_value());
  const auto t = base::parse_iso8601("2026-06-30T12:30:00Z");
  CHECK(auckland->day(*t) == base::Day{2026y / July / 1});
  CHECK(utc(auckland->first(2026y / July / 1, 30)) == "2026-06-30T12:30:00Z");
  CHECK(auckland->clock(*t) == "00:30 NZST");
  CHECK(auckland->minute(*t) == 30);
}

TEST_CASE("the hour that comes twice is the longer one, the one that is left out is not forgotten") {
  const TimeZone berlin = *TimeZone::named("Europe/Berlin");
  const base::Day back{2026y / October / 25}, forward{2026y / March / 29};
  CHECK(utc(berlin.first(back, 2 * 60 + 30)) == "2026-10-25T00:30:00Z");
  CHECK(utc(berlin.last(back, 2 * 60 + 30)) == "2026-10-25T01:30:00Z");
  CHECK(utc(berlin.first(forward, 2 * 60 + 15)) == "2026-03-29T01:00:00Z");
  CHECK(utc(berlin.last(forward, 2 * 60 + 45)) == "2026-03-29T01:45:00Z");
  CHECK(utc(berlin.first(forward, 3 * 60)) == utc(berlin.last(forward, 3 * 60)));
  CHECK(utc(berlin.first(forward, 24 * 60)) == "2026-03-29T22:00:00Z");
}

TEST_CASE("a zone that does not exist is said so") {
  CHECK(TimeZone::named("Europe/Berlni").error().text ==
        "there is no time zone 'Europe/Berlni' in /usr/share/zoneinfo");
  CHECK(TimeZone::named("").error().kind == base::Kind::not_found);
  CHECK(TimeZone().name() == "");
}
