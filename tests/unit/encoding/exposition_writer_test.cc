#include "encoding/exposition_writer.h"

#include <doctest/doctest.h>

#include <limits>
#include <set>
#include <string>

#include "encoding/exposition_families.h"
#include "fakes/golden.h"
#include "fakes/shop_snapshot.h"

using encoding::Exposition;
using model::MetricFamily;
using model::MetricType;

namespace {

std::vector<MetricFamily> all_kinds() {
  const double inf = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<MetricFamily> out = fakes::shop_snapshot().metrics;
  out.push_back({"fettle_build", "What this is.", MetricType::info, {{"_info", {{"version", "0.1.0"}}, 1}}});
  out.push_back({"jobs",
                 "Jobs\nthat ran \\ \"well\".",
                 MetricType::counter,
                 {{"_total", {{"path", "C:\\x \"y\"\nz"}}, 12}, {"_total", {}, 0.1}}});
  out.push_back({"latency_seconds",
                 "Latency.",
                 MetricType::histogram,
                 {{"_bucket", {{"le", "0.25"}}, 1},
                  {"_bucket", {{"le", "1"}}, 2},
                  {"_bucket", {{"le", "+Inf"}}, 3},
                  {"_sum", {}, 1.2300000000000002},
                  {"_count", {}, 3}}});
  out.push_back(
      {"took_seconds",
       "How long.",
       MetricType::summary,
       {{"", {{"quantile", "0.5"}}, 0.25}, {"", {{"quantile", "1"}}, 1.5}, {"_sum", {}, 2}, {"_count", {}, 3}}});
  out.push_back({"odd_values",
                 "Odd values.",
                 MetricType::gauge,
                 {{"", {{"v", "inf"}}, inf},
                  {"", {{"v", "-inf"}}, -inf},
                  {"", {{"v", "nan"}}, nan},
                  {"", {{"v", "tiny"}}, 5e-324},
                  {"", {{"v", "third"}}, 1.0 / 3}}});
  out.push_back({"from_elsewhere", "Nobody knows.", MetricType::unknown, {{"", {}, 7}}});
  out.push_back({"no_points", "Nothing.", MetricType::gauge, {}});
  out.push_back({"0bad name", "Never shown.", MetricType::gauge, {{"", {}, 1}}});
  // A second part of a family that is there already, with one series twice.
  out.push_back({"fettle_service_up",
                 "Other help.",
                 MetricType::gauge,
                 {{"", {{"service", "order"}}, 9}, {"", {{"service", "payment"}}, 1}}});
  return out;
}

}  // namespace

TEST_CASE("the text format is what the golden file says") {
  const std::string got = encoding::expose(all_kinds(), Exposition::text);
  CHECK(got == fakes::golden("web/metrics.txt", got));
}

TEST_CASE("OpenMetrics is what the golden file says") {
  const std::string got = encoding::expose(all_kinds(), Exposition::openmetrics);
  CHECK(got == fakes::golden("web/metrics.openmetrics", got));
}

TEST_CASE("a page without metrics is a page") {
  CHECK(encoding::expose({}, Exposition::text) == "");
  CHECK(encoding::expose({}, Exposition::openmetrics) == "# EOF\n");
}

TEST_CASE("the content types are those of the formats") {
  CHECK(encoding::content_type(Exposition::text) == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(encoding::content_type(Exposition::openmetrics) ==
        "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

TEST_CASE("one name has one type on a page, and no sample is lost for it") {
  using model::MetricType;
  const model::Labels ours{{"service", "order"}}, other{{"service", "cart"}};
  const std::vector<model::MetricFamily> families{
      {"process_cpu_seconds", "The agent's.", MetricType::counter, {{"_total", {}, 1}}},
      {"process_open_fds", "The agent's.", MetricType::gauge, {{"", {}, 2}}},
      {"process_cpu_seconds_total", "As scraped.", MetricType::unknown, {{"", ours, 3}}},
      {"process_cpu_seconds", "As scraped.", MetricType::counter, {{"_total", other, 4}}},
      {"process_open_fds", "As scraped.", MetricType::unknown, {{"", ours, 5}}},
      {"process_open_fds", "As scraped.", MetricType::histogram, {{"_count", other, 6}}},
      {"latency", "As scraped.", MetricType::histogram, {{"_bucket", {{"le", "1"}}, 7}, {"_count", ours, 8}}},
      {"latency_count", "As scraped.", MetricType::unknown, {{"", other, 9}}},
      {"latency", "As scraped.", MetricType::gauge, {{"", other, 10}}},
  };
  const std::string page = encoding::expose(families, encoding::Exposition::text);
  const auto read = encoding::parse_exposition(page);
  REQUIRE_MESSAGE(read.has_value(), page);
  std::size_t samples = 0;
  std::set<std::string> names;
  for (const auto& family : *read) {
    samples += family.samples.size();
    CHECK(names.insert(family.name).second);
  }
  CHECK(samples == 10);
  for (const char* want : {"# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 1\n",
                           "process_cpu_seconds_total{service=\"order\"} 3\n",
                           "process_cpu_seconds_total{service=\"cart\"} 4\n", "process_open_fds{service=\"order\"} 5\n",
                           "process_open_fds_count{service=\"cart\"} 6\n", "latency_count{service=\"cart\"} 9\n"}) {
    CAPTURE(want);
    CHECK(page.find(want) != std::string::npos);
  }
  CHECK(encoding::expose(families, encoding::Exposition::openmetrics).ends_with("# EOF\n"));
}
