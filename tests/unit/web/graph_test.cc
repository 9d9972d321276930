#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

#include "promql/queryable.h"
#include "unit/web/handlers.h"
#include "web/pages/graph_page.h"
#include "web/pages/line_graphic.h"

namespace {

constexpr std::int64_t kMinute = 60'000, kHour = 60 * kMinute;
constexpr std::int64_t kNow = fakes::kShopNow;  // 2026-11-23T06:50:45Z

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// Two hours of a service that went down half an hour ago, and of so many others.
struct GraphedShop : Handlers {
  explicit GraphedShop(int others = 1) {
    add({{"__name__", "fettle_service_up"}, {"service", "order"}}, true);
    for (int i = 0; i < others; ++i)
      add({{"__name__", "fettle_service_up"}, {"service", "cache-" + std::to_string(i)}}, false);
  }
  void add(const model::Labels& labels, bool falls) {
    promql::MemoryQueryable::Entry entry;
    entry.labels = labels;
    for (std::int64_t t = kNow - 2 * kHour; t <= kNow; t += 5'000)
      entry.samples.push_back({t, falls && t > kNow - kHour / 2 ? 0.0 : 1.0});
    backend.series.push_back(entry);
  }
};

}  // namespace

TEST_CASE("the link of an alert draws its expression over the last hour") {
  const GraphedShop shop;
  const web::Response page = shop.get("/graph?g0.expr=fettle_service_up+%3C+1&g0.tab=1");
  CHECK(page.status == 200);
  for (const std::string_view part :
       {">fettle_service_up &lt; 1</textarea>", "name=\"g0.range_input\" value=\"1h\"", "<path class=\"line l0 d0\"",
        "service=&quot;order&quot;", "2026-11-23 05:50:45 to 2026-11-23 06:50:45 UTC", "a value every 15s",
        ">06:00</text>",
        "api/v1/"
        "query_range?query=fettle_service_up+%3C+1&amp;start=1795413045.250&amp;end=1795416645.250&amp;step=15"}) {
    CAPTURE(part);
    CHECK(has(page.body, part));
  }
  CHECK_FALSE(has(page.body, "cache-0"));  // it has not been below 1
  CHECK_FALSE(has(page.body, " style="));
  CHECK_FALSE(has(page.body, "<script"));
  CHECK(has(header(page, "Content-Security-Policy"), "form-action 'self'"));
  CHECK(shop.get("/graph").status == 200);
}

TEST_CASE("range and end say which span is drawn") {
  const GraphedShop shop;
  struct Row {
    std::string fields, words;
  };
  for (const Row& row : {
           Row{"g0.range_input=30m&g0.end_input=2026-11-23+06:00:00", "2026-11-23 05:30:00 to 2026-11-23 06:00:00 UTC"},
           Row{"g0.range_input=30m&g0.end_input=2026-11-23T06:00", "2026-11-23 05:30:00 to 2026-11-23 06:00:00 UTC"},
           Row{"g0.range_input=10m&g0.end_input=2026-11-23T08:00:00%2B02:00",
               "2026-11-23 05:50:00 to 2026-11-23 06:00:00 UTC"},
           Row{"g0.range_input=10s&g0.end_input=1795416600", "2026-11-23 06:49:50 to 2026-11-23 06:50:00 UTC"},
           Row{"g0.range_input=0", "&quot;0&quot; is no range"},
           Row{"g0.range_input=2y", "&quot;2y&quot; is no range"},
           Row{"g0.range_input=soon&g0.end_input=never", "&quot;soon&quot; is no range"},
           Row{"g0.range_input=soon&g0.end_input=never",
               "&quot;never&quot; is no end: write a time of UTC as in 2026-11-23 06:50:45"},
           Row{"g0.end_input=9e11", "is no end"},
           Row{"g0.end_input=-5", "is no end"},
       }) {
    CAPTURE(row.fields);
    const std::string page = shop.get("/graph?g0.expr=fettle_service_up&" + row.fields).body;
    CHECK(has(page, row.words));
  }
  const std::string early =
      shop.get("/graph?g0.expr=fettle_service_up&g0.range_input=30m&g0.end_input=2026-11-23+06:00:00").body;
  CHECK(has(early, "g0.end_input=2026-11-23+05%3A45%3A00\">earlier"));
  CHECK(has(early, "g0.end_input=2026-11-23+06%3A15%3A00\">later"));
}

TEST_CASE("an expression that is wrong, that cannot be drawn or that has nothing is answered in words") {
  const GraphedShop shop;
  struct Row {
    std::string expression, words;
  };
  for (const Row& row : {
           Row{"sum(", "1:5: parse error"},
           Row{"sum(", "<pre>sum(\n    ^</pre>"},
           Row{"up%0A++%2B+%7B", "<pre>  + {\n     ^</pre>"},
           Row{"sum(%22%C3%BC%22", "<pre>sum(&quot;ü&quot;\n       ^</pre>"},
           Row{"nothing_here", "The result is empty: the expression has no value from 2026-11-23 05:50:45 UTC to"},
           Row{"fettle_service_up[1m]", "A range vector has no graph"},
           Row{"nothing_here[1m]", "no series fits at 2026-11-23 06:50:45 UTC"},
           Row{"%22hello%22", "A string has no graph"},
           Row{"%22hello%22", "hello</td>"},
           Row{"time()", "1795416645"},
           Row{"vector(NaN)", "None of the values can be drawn"},
           Row{"vector(1)", "<tr><th scope=\"row\" class=\"mono\">"},
       }) {
    CAPTURE(row.expression);
    const std::string page = shop.get("/graph?g0.expr=" + row.expression).body;
    CHECK(has(page, row.words));
  }
}

TEST_CASE("series and points are bounded") {
  const GraphedShop shop(100);
  const std::string page = shop.get("/graph?g0.expr=fettle_service_up&g0.range_input=1y").body;
  CHECK(count(page, "<tr><th scope=\"row\"") == web::kMostLines);
  CHECK(has(page, "The first 24 of 101 series are shown"));
  CHECK(shop.get("/graph?g0.expr=fettle_service_up&g0.range_input=2h").body.size() < 120'000);
}

TEST_CASE("what the store refuses is on the page") {
  GraphedShop shop;
  shop.backend.next_answer = base::fail(base::Kind::timeout, "query <timed> out");
  CHECK(has(shop.get("/graph?g0.expr=fettle_service_up").body, "query &lt;timed&gt; out"));
}

TEST_CASE("nothing that was asked reaches the page unescaped") {
  const GraphedShop shop;
  const std::string evil = "%22'%3E%3Cimg+src%3Dx%3E";
  for (const std::string& fields :
       {"g0.expr=" + evil, "g0.expr=up&g0.range_input=" + evil, "g0.expr=up&g0.end_input=" + evil,
        std::string("g0.expr=label_replace(vector(1),%22a%22,%22%3Cimg%3E%22,%22%22,%22%22)")}) {
    const std::string page = shop.get("/graph?" + fields).body;
    CHECK_FALSE(has(page, "<img"));
    CHECK_FALSE(has(page, "\"'>"));
  }
}

TEST_CASE("a line has a gap where samples are missing, and a dot where it has one sample") {
  web::LineGraphic graphic{0, 100'000, 10'000, {}, "It", "Probe", [](double v) { return std::to_string(v); }};
  CHECK(web::line_graphic(graphic).empty());
  graphic.lines = {{"a", {{0, 0}, {10'000, 10}, {50'000, 5}}}, {"empty", {}}, {"b", {{100'000, NAN}}}};
  const std::string out = web::line_graphic(graphic);
  CHECK(has(out, R"(d="M0.0 200.0h.1L72.0 0.0M360.0 100.0h.1")"));
  CHECK(count(out, "<tr><th scope=\"row\"") == 2);
  CHECK(count(out, "<path class=\"line l0 d0\" d=\"M0") == 1);
  CHECK(has(out, "<span>1970-01-01 00:00:00 to 1970-01-01 00:01:40 UTC</span><span>a value every 10s"));
}

TEST_CASE("ticks of values are round and enclose them") {
  struct Row {
    double least, greatest;
    std::vector<double> ticks;
  };
  for (const Row& row : {
           Row{0, 1, {0, 0.5, 1}},
           Row{0, 0, {0, 0.5, 1}},
           Row{5, 5, {0, 2, 4, 6}},
           Row{-5, -5, {-6, -4, -2, 0}},
           Row{1, 10, {0, 5, 10}},
           Row{90, 100, {90, 95, 100}},
           Row{-1, 1, {-1, -0.5, 0, 0.5, 1}},
       }) {
    CAPTURE(row.least);
    CHECK(web::value_ticks(row.least, row.greatest) == row.ticks);
  }
  constexpr double kMost = std::numeric_limits<double>::max(), kSmall = std::numeric_limits<double>::denorm_min();
  for (const auto& [least, greatest] : {std::pair{-kMost, kMost},
                                        {kMost, kMost},
                                        {0.0, kSmall},
                                        {1e17, 1e17 + 16},
                                        {9007199254740990.0, 9007199254740994.0},
                                        {0.3, 0.30000000000000004},
                                        {0.7, 0.7000000000000001},
                                        {1795416600.0, 1795416645.0},
                                        {3.0, 1e300}}) {
    const std::vector<double> ticks = web::value_ticks(least, greatest);
    CHECK(ticks.size() >= 3);
    CHECK(ticks.size() <= 7);
    CHECK(ticks.front() <= least);
    CHECK(ticks.back() >= greatest * 0.999999);
    for (const double tick : ticks) CHECK(std::isfinite(tick));
  }
}

TEST_CASE("ticks of time are round in UTC") {
  CHECK(web::time_ticks(kNow - kHour, kNow).size() == 4);
  CHECK(web::time_ticks(kNow - kHour, kNow).front() % (15 * kMinute) == 0);
  for (std::int64_t range = 1'000; range < 366 * 24 * kHour; range = range * 3 / 2) {
    CAPTURE(range);
    CHECK(web::time_ticks(kNow - range, kNow).size() >= 1);
    CHECK(web::time_ticks(kNow - range, kNow).size() <= 5);
  }
}

TEST_CASE("numbers of an axis have a prefix and the digits that tell them apart") {
  CHECK(web::number_words(0, 1) == "0");
  CHECK(web::number_words(0.0025, 0.0005) == "0.0025");
  CHECK(web::number_words(1, 0.5) == "1");
  CHECK(web::number_words(1500, 500) == "1.5 k");
  CHECK(web::number_words(-2e6, 1e6) == "-2 M");
  CHECK(web::number_words(1795416600, 20) == "1.7954166 G");
  CHECK(web::number_words(1e-9, 1e-9) == "1e-09");
  CHECK(web::number_words(1e18, 1e18) == "1e+18");
  CHECK(web::number_words(5, 0) == "5");
}
