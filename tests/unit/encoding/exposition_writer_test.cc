#include "encoding/exposition_writer.h"

#include <doctest/doctest.h>

#include <limits>
#include <memory>
#include <set>
#include <string>

#include "encoding/exposition_families.h"
#include "fakes/golden.h"
#include "fakes/shop_snapshot.h"
#include "model/sample.h"

using encoding::Exposition;
using model::MetricFamily;
using model::MetricType;

namespace {

std::vector<MetricFamily> all_kinds() {
  const double inf = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<MetricFamily> out = fakes::shop_metrics();
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

TEST_CASE("blocks stand on a page as families do") {
  const auto family = [](const char* name, MetricType type) {
    return std::make_shared<const MetricFamily>(MetricFamily{name, "Help.", type, {}});
  };
  const auto up = family("up", MetricType::gauge), took = family("took", MetricType::histogram);
  const auto block = [](std::vector<model::MetricSeries> series, std::vector<double> values) {
    return std::make_shared<const model::MetricBlock>(model::MetricBlock{
        std::make_shared<const std::vector<model::MetricSeries>>(std::move(series)), std::move(values)});
  };
  const model::Labels a{{"service", "a"}}, b{{"service", "b\n\"\\"}}, c{{"service", "c"}};
  model::MetricPage page;
  page.blocks = {
      block({{up, "", a}, {took, "_bucket", a.with("le", "1")}, {took, "_count", a}}, {1, 2, 3}),
      block({{took, "_bucket", b.with("le", "1")}, {up, "", b}}, {4, 0}),
      block({{up, "", c}, {up, "", a}}, {model::stale_marker(), 9}),  // absent, and one that was there
  };
  const std::vector<MetricFamily> own{{"up", "Ours.", MetricType::gauge, {{"", {}, 7}}}};
  CHECK(encoding::expose({own, {}}, page, Exposition::text) == R"(# HELP took Help.
# TYPE took histogram
took_bucket{le="1",service="a"} 2
took_count{service="a"} 3
took_bucket{le="1",service="b\n\"\\"} 4
# HELP up Ours.
# TYPE up gauge
up 7
up{service="a"} 1
up{service="b\n\"\\"} 0
)");
  CHECK(encoding::expose({own, {}}, page, Exposition::openmetrics) == R"(# HELP took Help.
# TYPE took histogram
took_bucket{le="1.0",service="a"} 2
took_count{service="a"} 3
took_bucket{le="1.0",service="b\n\"\\"} 4
# HELP up Ours.
# TYPE up gauge
up 7
up{service="a"} 1
up{service="b\n\"\\"} 0
# EOF
)");
  std::vector<MetricFamily> all = own;
  for (MetricFamily& each : model::families_of(page)) all.push_back(std::move(each));
  CHECK(encoding::expose(all, Exposition::text) == encoding::expose({own, {}}, page, Exposition::text));
}
