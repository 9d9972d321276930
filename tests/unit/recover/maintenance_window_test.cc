#include "recover/plan/maintenance_window.h"

#include <doctest/doctest.h>

namespace {

const base::TimeZone kBerlin = *base::TimeZone::named("Europe/Berlin");

// Until when the window is open at that time, in UTC; "": it is not.
std::string open(const char* window, const char* at) {
  const auto end = recover::MaintenanceWindow::parse(window)->open_until(*base::parse_iso8601(at), kBerlin);
  return end ? base::format_iso8601(*end) : "";
}

}  // namespace

TEST_CASE("a window is open from its begin to its end, on its days, by the clock of its zone") {
  struct Row {
    const char* window;
    const char* at;
    const char* until;
  };
  const Row rows[] = {
      {"Sun 02:00-04:00", "2026-11-22T00:59:59Z", ""},
      {"Sun 02:00-04:00", "2026-11-22T01:00:00Z", "2026-11-22T03:00:00Z"},
      {"Sun 02:00-04:00", "2026-11-22T02:59:59Z", "2026-11-22T03:00:00Z"},
      {"Sun 02:00-04:00", "2026-11-22T03:00:00Z", ""},
      {"Sun 02:00-04:00", "2026-11-23T01:30:00Z", ""},
      {"02:00-04:00", "2026-11-23T01:30:00Z", "2026-11-23T03:00:00Z"},
      {"mon-FRI 22:00-06:00", "2026-11-27T22:00:00Z", "2026-11-28T05:00:00Z"},
      {"Mon-Fri 22:00-06:00", "2026-11-28T04:59:00Z", "2026-11-28T05:00:00Z"},
      {"Mon-Fri 22:00-06:00", "2026-11-28T22:00:00Z", ""},
      {"Mon-Fri 22:00-06:00", "2026-11-23T04:00:00Z", ""},
      {"Sat,Sun 00:00-24:00", "2026-11-22T22:59:00Z", "2026-11-22T23:00:00Z"},
      {"Sat-Mon 12:00-13:00", "2026-11-23T11:30:00Z", "2026-11-23T12:00:00Z"},
      // The hour that is left out: from where it is left out to when the end would have come.
      {"Sun 02:15-02:45", "2026-03-29T00:59:00Z", ""},
      {"Sun 02:15-02:45", "2026-03-29T01:10:00Z", "2026-03-29T01:45:00Z"},
      {"Sun 01:00-05:00", "2026-03-29T02:30:00Z", "2026-03-29T03:00:00Z"},
      // The hour that comes twice belongs to it both times.
      {"Sun 02:15-02:45", "2026-10-25T00:20:00Z", "2026-10-25T01:45:00Z"},
      {"Sun 02:15-02:45", "2026-10-25T01:20:00Z", "2026-10-25T01:45:00Z"},
      {"Sun 02:15-02:45", "2026-10-25T01:50:00Z", ""},
      {"Sat 22:00-06:00", "2026-10-25T04:30:00Z", "2026-10-25T05:00:00Z"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.window);
    CAPTURE(row.at);
    CHECK(open(row.window, row.at) == row.until);
  }
}

TEST_CASE("what is no window is refused with how one is written") {
  for (const char* text : {"", "Sunday 02:00-04:00", "Sun 2:00-4:00", "Sun 02:00", "02:00-02:00", "24:00-02:00",
                           "02:00-24:30", "Mon-Foo 01:00-02:00", "Mon, Tue 01:00-02:00", "Sun 02:60-04:00"}) {
    CAPTURE(text);
    const auto window = recover::MaintenanceWindow::parse(text);
    REQUIRE_FALSE(window.has_value());
    CHECK(window.error().text == "'" + std::string(text) +
                                     "' is no window; write days and times as in \"Sun 02:00-04:00\", \"Mon-Fri "
                                     "22:00-06:00\" or \"02:00-04:00\"");
  }
}
