#include "promql/annotations.h"

#include <doctest/doctest.h>

#include "promql/engine.h"

namespace {

using promql::MemoryQueryable;

// What the API would show: warnings, then infos, a line each.
std::string remarks_of(const std::string& text, const MemoryQueryable& data, std::int64_t end,
                       promql::Compat compat = promql::Compat::v3) {
  const auto parsed = promql::parse(text, compat);
  REQUIRE_MESSAGE(parsed.ok(), parsed.error_text());
  promql::EngineOptions options;
  options.compat = compat;
  promql::Engine engine{options};
  if (end == 0) REQUIRE(engine.instant(*parsed.expr, data, 60'000));
  else REQUIRE(engine.range(*parsed.expr, data, 60'000, end, 60'000));
  const promql::Annotations annotations = promql::format_annotations(engine.annotations(), text);
  std::string out;
  for (const auto* list : {&annotations.warnings, &annotations.infos})
    for (const std::string& annotation : *list) out += annotation + '\n';
  return out;
}

void add_buckets(MemoryQueryable& data) {
  for (const std::int64_t t : {60'000, 120'000}) {
    data.append({{"__name__", "odd_bucket"}, {"le", "1"}}, {t, 5});
    data.append({{"__name__", "odd_bucket"}, {"le", "2"}}, {t, 3});
    data.append({{"__name__", "odd_bucket"}, {"le", "+Inf"}}, {t, 9});
  }
}

const std::string kForced =
    "PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see "
    "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile) for metric name ";

}  // namespace

TEST_CASE("the position counts lines and bytes from 1") {
  struct Row {
    std::string query;
    std::size_t begin;
    std::string want;
  };
  const Row rows[] = {{"up", 0, "x (1:1)"},         {"sum(\n  up)", 7, "x (2:3)"}, {"\n\nup", 2, "x (3:1)"},
                      {"\"é\" + up", 7, "x (1:8)"}, {"up", 99, "x (1:3)"},         {"a\nb", 1, "x (1:2)"}};
  for (const Row& row : rows) {
    CAPTURE(row.query);
    CHECK(promql::format_annotations({{"x", row.begin}}, row.query).warnings == std::vector<std::string>{row.want});
  }
}

TEST_CASE("of each kind ten are shown and the rest is counted") {
  std::vector<promql::Annotation> annotations;
  for (int i = 0; i < 13; ++i) annotations.push_back({"PromQL warning: w" + std::to_string(i)});
  for (int i = 0; i < 11; ++i) annotations.push_back({"PromQL info: i" + std::to_string(i)});
  const promql::Annotations shown = promql::format_annotations(annotations, "up");
  REQUIRE(shown.warnings.size() == 11);
  CHECK(shown.warnings[9] == "PromQL warning: w9 (1:1)");
  CHECK(shown.warnings[10] == "3 more warning annotations omitted");
  REQUIRE(shown.infos.size() == 11);
  CHECK(shown.infos[10] == "1 more info annotations omitted");
}

TEST_CASE("a histogram that is mended in every step of a range has its name in the first, as in Prometheus 3.5") {
  MemoryQueryable data;
  add_buckets(data);
  const std::string query = "histogram_quantile(0.9, odd_bucket)";
  CHECK(remarks_of(query, data, 0) == kForced + "\"odd_bucket\" (1:25)\n");
  CHECK(remarks_of(query, data, 120'000) == kForced + "\"odd_bucket\" (1:25)\n" + kForced + "\"\" (1:25)\n");
}

TEST_CASE("every name that suits no counter is told once, of series that have a value") {
  MemoryQueryable data;
  const auto add = [&](const char* name, const char* job, std::int64_t t) {
    data.append({{"__name__", name}, {"job", job}}, {t, 1});
  };
  for (const std::int64_t t : {0, 30'000, 60'000}) {
    for (const auto& [name, job] : {std::pair("level", "a"), {"level", "b"}, {"depth", "c"}, {"sold_total", "d"}})
      add(name, job, t);
    if (t == 60'000) add("young", "e", t);  // too few for a rate
  }
  const std::string text =
      "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: ";
  CHECK(remarks_of("sum(rate({job=~\".+\", __name__!=\"depth\"}[1m]))", data, 0) == text + "\"level\" (1:10)\n");
  CHECK(remarks_of("sum by (job) (\n  rate(level[1m]))", data, 0) == text + "\"level\" (2:8)\n");
}

TEST_CASE("Prometheus 2 has no annotations") {
  MemoryQueryable data;
  add_buckets(data);
  data.append({{"__name__", "level"}}, {30'000, 1});
  data.append({{"__name__", "level"}}, {60'000, 2});
  for (const char* query :
       {"histogram_quantile(0.9, odd_bucket)", "histogram_quantile(2, odd_bucket)", "histogram_quantile(0.9, level)",
        "rate(level[1m])", "quantile(2, level)", "quantile_over_time(2, level[1m])"}) {
    CAPTURE(query);
    CHECK(remarks_of(query, data, 0, promql::Compat::v2) == "");
    CHECK(remarks_of(query, data, 0) != "");
  }
}
