#include "notify/route/time_interval.h"

#include <doctest/doctest.h>

namespace {

notify::NamedIntervals parse(const std::string& interval, config::Errors& errors) {
  const config::Node node =
      config::Node::parse("name: t\ntime_intervals:\n  - " + interval + "\n", "fettle.yml", errors);
  return notify::time_intervals_schema().parse(node, "time_intervals[0]", errors);
}

}  // namespace

// The times are UTC: 2024-02-29 was a Thursday, 2023-02-28 a Tuesday.
TEST_CASE("when a time interval is") {
  struct Row {
    const char* interval;
    const char* at;
    bool want;
  };
  const Row rows[] = {
      {"{}", "2024-02-29T12:00:00Z", true},
      {"{times: []}", "2024-02-29T12:00:00Z", false},
      {"{times: [{start_time: \"09:00\", end_time: \"17:00\"}]}", "2024-02-29T08:59:59Z", false},
      {"{times: [{start_time: \"09:00\", end_time: \"17:00\"}]}", "2024-02-29T09:00:00Z", true},
      {"{times: [{start_time: \"09:00\", end_time: \"17:00\"}]}", "2024-02-29T16:59:59Z", true},
      {"{times: [{start_time: \"09:00\", end_time: \"17:00\"}]}", "2024-02-29T17:00:00Z", false},
      {"{times: [{start_time: \"22:00\", end_time: \"24:00\"}]}", "2024-02-29T23:59:59Z", true},
      {"{times: [{start_time: \"00:00\", end_time: \"06:00\"}, {start_time: \"22:00\", end_time: \"24:00\"}]}",
       "2024-02-29T05:00:00Z", true},
      {"{weekdays: [\"monday:friday\"]}", "2024-02-29T12:00:00Z", true},
      {"{weekdays: [\"Monday:Wednesday\", Sunday]}", "2024-02-29T12:00:00Z", false},
      {"{weekdays: [sunday]}", "2024-03-03T12:00:00Z", true},
      {"{days_of_month: [\"1:7\"]}", "2024-03-07T12:00:00Z", true},
      {"{days_of_month: [\"1:7\"]}", "2024-03-08T12:00:00Z", false},
      {"{days_of_month: [\"-1\"]}", "2024-02-29T12:00:00Z", true},
      {"{days_of_month: [\"-1\"]}", "2023-02-28T12:00:00Z", true},
      {"{days_of_month: [\"-3:-2\"]}", "2024-02-27T12:00:00Z", true},
      {"{days_of_month: [\"-3:-2\"]}", "2024-02-29T12:00:00Z", false},
      {"{days_of_month: [\"29:31\"]}", "2024-02-29T12:00:00Z", true},
      {"{days_of_month: [\"30:31\"]}", "2024-02-29T12:00:00Z", false},
      {"{days_of_month: [\"20:-1\"]}", "2024-02-29T12:00:00Z", true},
      {"{days_of_month: [1], weekdays: [thursday]}", "2024-02-29T12:00:00Z", false},
      {"{months: [february]}", "2024-02-29T12:00:00Z", true},
      {"{months: [\"1:2\"]}", "2024-02-29T12:00:00Z", true},
      {"{months: [\"march:may\", 12]}", "2024-02-29T12:00:00Z", false},
      {"{years: [\"2020:2023\", 2024]}", "2024-02-29T12:00:00Z", true},
      {"{years: [\"2020:2023\"]}", "2024-02-29T12:00:00Z", false},
      {"{weekdays: [friday], location: Asia/Shanghai}", "2024-02-29T16:00:00Z", true},
      {"{times: [{start_time: \"08:00\", end_time: \"08:01\"}], location: America/New_York}", "2024-02-29T13:00:00Z",
       true},
      {"{times: [{start_time: \"08:00\", end_time: \"08:01\"}], location: America/New_York}", "2024-07-01T12:00:00Z",
       true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.interval);
    CAPTURE(row.at);
    config::Errors errors;
    const notify::NamedIntervals named = parse(row.interval, errors);
    REQUIRE(errors.text() == "");
    CHECK(named.contains(*base::parse_iso8601(row.at)) == row.want);
  }
}

TEST_CASE("a time interval's mistakes are named with their place") {
  struct Row {
    const char* interval;
    const char* want;
  };
  const Row rows[] = {
      {"{times: [{start_time: \"9:00\", end_time: \"17:00\"}]}",
       "fettle.yml:3:27: time_intervals[0].time_intervals[0].times[0].start_time: expected a time of the day such as "
       "09:00\n"},
      {"{times: [{start_time: \"22:00\", end_time: \"06:00\"}]}",
       "fettle.yml:3:46: time_intervals[0].time_intervals[0].times[0].end_time: must be after start_time; write what "
       "goes over midnight as two times\n"},
      {"{weekdays: [mon]}",
       "fettle.yml:3:17: time_intervals[0].time_intervals[0].weekdays[0]: expected a day of the week or a range of "
       "them, "
       "such as monday or monday:friday, got 'mon'\n"},
      {"{weekdays: [\"friday:monday\"]}",
       "fettle.yml:3:17: time_intervals[0].time_intervals[0].weekdays[0]: 'friday:monday' ends before it begins\n"},
      {"{days_of_month: [0]}",
       "fettle.yml:3:22: time_intervals[0].time_intervals[0].days_of_month[0]: expected a day of the month or a range, "
       "such as 1:7, 15 or -3:-1 (from the end), got '0'\n"},
      {"{days_of_month: [\"-1:3\"]}",
       "fettle.yml:3:22: time_intervals[0].time_intervals[0].days_of_month[0]: '-1:3' ends before it begins\n"},
      {"{months: [13]}",
       "fettle.yml:3:15: time_intervals[0].time_intervals[0].months[0]: expected a month or a range of them, such as "
       "may, 5 or june:august, got '13'\n"},
      {"{location: Mars/Olympus}",
       "fettle.yml:3:16: time_intervals[0].time_intervals[0].location: there is no time zone 'Mars/Olympus' in "
       "/usr/share/zoneinfo; write a name such as Europe/Berlin, UTC or Local\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.interval);
    config::Errors errors;
    (void)parse(row.interval, errors);
    CHECK(errors.text() == std::string(row.want));
  }
}
