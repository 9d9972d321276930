// Queries that somebody writes to bring the agent down, or by mistake: each ends within its limits, with the kind of
// error that Prometheus has for it. They run under the sanitizers as well.
#include <doctest/doctest.h>

#include <string>

#include "promql/engine.h"

namespace {

using promql::MemoryQueryable;

constexpr int kSeries = 300;
constexpr std::int64_t kEnd = 119 * 15'000;

const MemoryQueryable& data() {
  static const MemoryQueryable all = [] {
    std::vector<MemoryQueryable::Entry> entries;
    for (int i = 0; i < kSeries; ++i) {
      MemoryQueryable::Entry& entry = entries.emplace_back();
      entry.labels = {{"__name__", "load"}, {"node", "n" + std::to_string(i)}, {"text", std::string(60, 'a')}};
      for (std::int64_t t = 0; t <= kEnd; t += 15'000) entry.samples.push_back({t, static_cast<double>(i)});
    }
    return MemoryQueryable(std::move(entries));
  }();
  return all;
}

// A millisecond goes by each time that somebody looks: a query takes the same time on every machine. For the others no
// time goes by.
base::Instant tick() {
  static base::Instant now{};
  return now += base::Millis{1};
}

promql::EngineOptions limits() {
  promql::EngineOptions options;
  options.now = [] { return base::Instant{}; };
  options.max_samples = 100'000;
  options.timeout = base::Millis{60'000};
  options.default_step_ms = 15'000;
  return options;
}

std::string repeated(const std::string& before, int times, const std::string& middle, const std::string& after) {
  std::string out;
  for (int i = 0; i < times; ++i) out += before;
  out += middle;
  for (int i = 0; i < times; ++i) out += after;
  return out;
}

// "" if there is an answer; else the kind of the error and its text.
std::string end_of(const std::string& text, const promql::EngineOptions& options = limits(),
                   const promql::Queryable& over = data()) {
  const promql::Parsed parsed = promql::parse(text);
  if (!parsed.ok()) return "parse: " + parsed.error_text();
  promql::Engine engine(options);
  const auto value = engine.instant(*parsed.expr, over, kEnd);
  return value ? "" : std::string(base::to_string(value.error().kind)) + ": " + value.error().text;
}

const std::string kTooMany = "limit: query processing would load too many samples into memory in query execution";
const std::string kTooLate = "timeout: query timed out in expression evaluation";

}  // namespace

TEST_CASE("nesting without end is refused before it is evaluated") {
  struct Row {
    std::string name, text;
  };
  const Row rows[] = {
      {"parentheses", repeated("(", 100'000, "load", ")")},
      {"parentheses that never close", repeated("(", 100'000, "load", "")},
      {"signs", repeated("-", 100'000, "load", "")},
      {"calls", repeated("abs(", 20'000, "load", ")")},
      {"aggregations", repeated("sum(", 20'000, "load", ")")},
      {"subqueries", repeated("max_over_time(", 5'000, "load", "[1m:15s])")},
      {"a chain of sums", repeated("1 + ", 100'000, "1", "")},
      {"a chain of powers", repeated("2 ^ ", 100'000, "2", "")},
      {"braces", repeated("{", 100'000, "", "")},
      {"brackets", "load" + repeated("[", 100'000, "1m", "]")},
      {"by without end", "sum by (" + repeated("a,", 200'000, "a", "") + ")("},
      {"an open string", "load{text=\"" + std::string(1'000'000, 'a')},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(end_of(row.text).starts_with("parse: "));
  }
}

TEST_CASE("what a query may nest, it may also evaluate") {
  CHECK(end_of(repeated("(", 140, "load", ")")) == "");
  CHECK(end_of(repeated("abs(", 140, "load", ")")) == "");
  CHECK(end_of(repeated("1 + ", 140, "1", "")) == "");
}

TEST_CASE("ranges and steps that make samples without end stop at the limit of samples") {
  const std::string rows[] = {
      "count_over_time(load[29m:1ms])",
      "load[29m:1ms]",
      "vector(1)[100y:1ms]",
      "sum_over_time(vector(time())[10y:1ms])",
      "max_over_time(max_over_time(max_over_time(load[1h:1s])[1h:1s])[1h:1s])",
      "absent_over_time(vector(1)[100y:1ms])",
      "quantile_over_time(0.5, load[29m:1ms])",
      "count_over_time(load[10m:100ms] offset -10m)",
      "count_over_time(load[29m:1ms] @ end())",
  };
  for (const std::string& text : rows) {
    CAPTURE(text);
    CHECK(end_of(text) == kTooMany);
  }
}

TEST_CASE("steps without end that find nothing stop at the time limit") {
  promql::EngineOptions options = limits();
  options.now = tick;
  options.timeout = base::Millis{20};
  for (const char* text :
       {"count_over_time((load > 1e9)[2h:1ms])", "nosuch[2h:1ms]", "absent_over_time(nosuch[2h:1ms])"}) {
    CAPTURE(text);
    CHECK(end_of(text, options) == kTooLate);
  }
}

TEST_CASE("steps without end are refused before the first of them") {
  promql::EngineOptions options = limits();
  options.max_samples = 50'000'000;
  std::size_t asked = 0;
  options.abandoned = [&] { return ++asked, false; };
  const std::string refused[] = {
      "sum_over_time(load[10y:1ms])",
      "sum_over_time(nosuch[10y:1ms])",
      "sum_over_time(vector(1)[10y:1ms])",
      "nosuch[100y:1ms]",
      "absent_over_time(nosuch[100y:1ms])",
      "sum_over_time(absent(load)[100y:1ms])",
      "-sum(1 + max_over_time(((vector(1)))[10y:1ms] @ 1000))",
      "topk(scalar(count_over_time(nosuch[10y:1ms])), load)",
      "sum_over_time(nosuch[9000w:1ms] offset 1h)",
      // The steps of the inner one are few, but each is looked at a thousand times.
      "sum_over_time(sum_over_time(vector(1)[100000s:1s])[100000s:1s])",
      "max_over_time(max_over_time(max_over_time(nosuch[1d:1s])[1d:1s])[30d:1s])",
  };
  for (const std::string& text : refused) {
    CAPTURE(text);
    CHECK(end_of(text, options) == kTooMany);
  }
  CHECK(asked == 0);
  const std::string answered[] = {
      "count_over_time(nosuch[1y:1m])",
      "max_over_time(rate(nosuch[5m])[30d:1m])",
      "avg_over_time(max_over_time(nosuch[1h:15s])[1d:1m])",
      "count_over_time(nosuch[50y])",
  };
  for (const std::string& text : answered) {
    CAPTURE(text);
    CHECK(end_of(text, options) == "");
  }
}

TEST_CASE("the price of an expression counts the steps of all its subqueries, and how often each is looked at") {
  struct Row {
    std::string text;
    double steps, windows;
  };
  // Over 1,000 s at a step of 10 s: 101 steps.
  const Row rows[] = {
      {"load", 101, 0},
      {"rate(load[1h])", 101, 0},
      {"max_over_time(load[500s:5s])", 101 + 301, 101 * 101},
      {"max_over_time(load[500s:5s] @ 7)", 101 + 101, 101 * 101},
      {"max_over_time(load[30s:])", 101 + 1030.0 / 15 + 1, 101 * 3},
      {"max_over_time(load[500s:5s]) + max_over_time(load[500s:5s])", 101 + 602, 2 * 101 * 101},
      {"max_over_time(max_over_time(load[500s:5s])[100s:10s])", 101 + 111 + 321, 101 * 11 + 111 * 101},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const promql::Parsed parsed = promql::parse(row.text);
    REQUIRE(parsed.ok());
    const promql::Price price = promql::price_of(*parsed.expr, 0, 1'000'000, 10'000, limits());
    CHECK(price.steps == doctest::Approx(row.steps));
    CHECK(price.windows == doctest::Approx(row.windows));
  }
}

TEST_CASE("label sets that a query makes at one step after the other count") {
  promql::EngineOptions options = limits();
  options.max_samples = 9'000;
  promql::Engine engine(options);
  const auto range = [&](const std::string& text, std::int64_t step) {
    const auto parsed = promql::parse(text);
    REQUIRE(parsed.ok());
    const auto matrix = engine.range(*parsed.expr, data(), 0, 8'000'000, step);
    return matrix ? "" : matrix.error().text;
  };
  // One element at each step, with another value in its label: 8,001 sets of five kilobytes.
  const std::string counted = "count_values('" + std::string(5'000, 'v') + "', vector(time())) > 1";
  CHECK(range(counted, 100'000) == "");
  CHECK(range(counted, 1'000) == promql::kTooManySamples);
}

TEST_CASE("a join that copies long labels onto many series stops when memory is at its end") {
  promql::EngineOptions options = limits();
  // One series with a label of 65,000 bytes, copied onto 300.
  const std::string text = "label_replace(vector(1), 'long', '" + std::string(65'000, 'x') + "', '', '')";
  const std::string joined = "count(load * on () group_left (long) " + text + ")";
  CHECK(end_of(joined, options) == "limit: " + std::string(promql::kTooManySamples));
  options.max_samples = 50'000'000;
  CHECK(end_of(joined, options) == "");
  std::size_t most = 0;
  options.reserve = [&](std::size_t bytes) {
    most = bytes;
    return bytes < 10'000'000;
  };
  CHECK(end_of(joined, options) == "limit: " + std::string(promql::kTooManySamples));
  CHECK(most < 12'000'000);
}

TEST_CASE("what many selectors find counts as memory before a sample is read") {
  promql::EngineOptions options = limits();
  std::size_t most = 0;
  options.reserve = [&](std::size_t bytes) {
    most = bytes;
    return bytes < 10'000'000;
  };
  std::string text = "count(load)";
  for (int i = 0; i < 300; ++i) text += " + count(load)";
  CHECK(end_of(text, options) == "limit: " + std::string(promql::kTooManySamples));
  CHECK(most < 12'000'000);
  CHECK(end_of("count(load) + count(load)", options) == "");
}

TEST_CASE("a range query with more points than fit stops at the limit of samples or of time") {
  const auto range = [](const std::string& text, std::int64_t end, std::int64_t step, base::Millis timeout) {
    promql::EngineOptions options = limits();
    options.now = tick;
    options.timeout = timeout;
    promql::Engine engine(options);
    const auto parsed = promql::parse(text);
    REQUIRE(parsed.ok());
    const auto matrix = engine.range(*parsed.expr, data(), 0, end, step);
    return matrix ? "" : std::string(base::to_string(matrix.error().kind)) + ": " + matrix.error().text;
  };
  constexpr std::int64_t kAges = std::int64_t{1} << 59;
  CHECK(range("load", kAges, 1, base::Millis{60'000}) == kTooMany);
  CHECK(range("1", kAges, 1, base::Millis{60'000}) == kTooMany);
  CHECK(range("vector(1)", kAges, 1, base::Millis{60'000}) == kTooMany);
  CHECK(range("load{node=\"none\"}", kAges, 1, base::Millis{60'000}) == kTooMany);
  CHECK(range("load{node=\"none\"}", 8'000'000, 1, base::Millis{20}) == kTooLate);
  CHECK(range("load", 119 * 15'000, 15'000, base::Millis{60'000}) == "");
}

TEST_CASE("regular expressions that explode elsewhere are refused or answered, at the latest at the time limit") {
  enum class Wanted { answer, refusal, either };  // either: Prometheus has other limits of size
  struct Row {
    std::string pattern;
    Wanted wanted;
  };
  const Row rows[] = {
      {"(a+)+b", Wanted::answer},
      {"(a|a)*b", Wanted::answer},
      {"(.*a){30}b", Wanted::answer},
      {"((((a*)*)*)*)*b", Wanted::answer},
      {repeated("a?", 1'000, "", "a"), Wanted::answer},
      {"[[:alpha:]]{1000}", Wanted::answer},
      {repeated("(", 900, "a", ")"), Wanted::answer},
      {repeated("(", 900, "a", "?)*"), Wanted::answer},
      {repeated("[(]", 2'000, "a", ""), Wanted::answer},
      {repeated("(", 5'000, "a", ")"), Wanted::refusal},
      {repeated("(", 2'000, "a", "?)*"), Wanted::refusal},
      {"a{1000}{1000}", Wanted::refusal},
      {"((a{100}){100}){100}", Wanted::refusal},
      {"(a", Wanted::refusal},
      {"(?i)" + std::string(100'000, 'x'), Wanted::either},
      {repeated("x|", 100'000, "y", ""), Wanted::either},
      {"\\\\pL{1000}", Wanted::either},
  };
  promql::EngineOptions options = limits();
  options.now = tick;
  options.timeout = base::Millis{500};
  for (const Row& row : rows) {
    CAPTURE(row.pattern.substr(0, 40));
    const std::string found = end_of("load{text=~'" + row.pattern + "'}", options);
    if (row.wanted == Wanted::answer) CHECK(found == "");
    if (row.wanted == Wanted::refusal) CHECK(found.starts_with("parse: "));
    const std::string replaced = end_of("label_replace(load, 'to', '$1', 'text', '" + row.pattern + "')", options);
    if (row.wanted == Wanted::answer) CHECK_MESSAGE((replaced == "" || replaced == kTooLate), replaced);
    if (row.wanted == Wanted::refusal)
      CHECK_MESSAGE(replaced.starts_with("invalid: invalid regular expression in label_replace()"), replaced);
  }
}

TEST_CASE(
    "labels that grow from call to call stop at the longest value, those of many series at the limit of samples") {
  std::string doubled = "load", joined = "load";
  for (int i = 0; i < 40; ++i) {
    doubled = "label_replace(" + doubled + ", 'text', '$1$1', 'text', '(.*)')";
    joined = "label_join(" + joined + ", 'text', '', 'text', 'text', 'text')";
  }
  promql::EngineOptions roomy = limits();
  roomy.max_samples = 50'000'000;
  CHECK(end_of(doubled, roomy) == "limit: label_replace() would make a label value of more than 65536 bytes");
  CHECK(end_of(joined, roomy) == "limit: label_join() would make a label value of more than 65536 bytes");
  CHECK(end_of("label_replace(load, 'text', '" + repeated("$1", 100'000, "", "") + "', 'text', '(.*)')") ==
        "limit: label_replace() would make a label value of more than 65536 bytes");
  // 300 series of 19,200 bytes are as much as 360,000 samples.
  std::string wide = "load";
  for (int i = 0; i < 6; ++i) wide = "label_replace(" + wide + ", 'text', '$1$1', 'text', '(.*)')";
  for (int i = 0; i < 5; ++i)
    wide = "label_replace(" + wide + ", 'more" + std::to_string(i) + "', '$1', 'text', '(.*)')";
  CHECK(end_of(wide) == kTooMany);
  CHECK(end_of("label_replace(load, 'text', '$1$1', 'text', '(.*)')") == "");
}

TEST_CASE("joins of everything with everything have no answer") {
  const std::string rows[] = {
      "load * on () load",
      "load * on () group_left () load",
      "load * on () group_right () load",
      "load == on () group_left () load",
      "load + on (text) load",
  };
  for (const std::string& text : rows) {
    CAPTURE(text);
    const std::string got = end_of(text);
    CHECK_MESSAGE(got.find("on the") != std::string::npos, got);
    CHECK_MESSAGE(got.starts_with("invalid: found duplicate series for the match group"), got);
  }
  CHECK(end_of("load and on () load") == "");
  CHECK(end_of("count_values without (node) ('text', load)") == "");
}

TEST_CASE("numbers at the edge of what there is") {
  struct Row {
    std::string text, want;
  };
  const Row rows[] = {
      {"1e1000000", "parse: "},
      {"load[1e300]", "parse: "},
      {"load[99999999999999999999y]", "parse: "},
      {"load offset 9999999999y", "parse: "},
      {"topk(1e18, load)", ""},
      {"topk(1e19, load)", "invalid: Scalar value 1e+19 overflows int64"},
      {"bottomk(-1e18, load)", ""},
      {"quantile(-1e308, load)", ""},
      {"load @ 9e15", ""},
      {"load @ 1e300", "parse: "},
      {"predict_linear(load[5m], 1e308)", ""},
      {"round(load, 1e-308)", ""},
      {"holt_winters(load[5m], 2, 2)", "parse: "},
      {"day_of_month(vector(1e300))", ""},
      {"clamp(load, 1, -1)", ""},
      {"load ^ load ^ load ^ load", ""},
      {"load % 0", ""},
      {std::string(1'000'000, '9'), "parse: "},
      {"0x" + std::string(1'000'000, 'f'), "parse: "},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text.substr(0, 60));
    const std::string got = end_of(row.text);
    CHECK_MESSAGE((row.want.empty() ? got == "" : got.starts_with(row.want)), got.substr(0, 200));
  }
}

namespace {

// Whoever waits for the query goes when its last series has been read.
class Leaving final : public promql::Queryable {
 public:
  explicit Leaving(std::atomic<bool>& left) : left_(left) {}
  std::uint64_t generation() const override { return data().generation(); }
  std::vector<promql::SeriesRef> select(const std::vector<model::Matcher>& matchers) const override {
    return data().select(matchers);
  }
  void read(std::uint64_t id, std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) const override {
    count();
    data().read(id, from, to, out);
  }
  bool last_at(std::uint64_t id, std::int64_t not_before, std::int64_t at, model::Sample& out) const override {
    count();
    return data().last_at(id, not_before, at, out);
  }

 private:
  void count() const {
    if (++reads_ == kSeries) left_ = true;
  }
  std::atomic<bool>& left_;
  mutable int reads_ = 0;
};

}  // namespace

TEST_CASE("label_replace and label_join look up from their work, although nobody else does after the last sample") {
  struct Row {
    std::string text, want;
  };
  const Row rows[] = {
      {"abs(load)", ""},  // does not look: the flag is set when all is read, and what comes then is short
      {"label_replace(load, 'a', '$1', 'node', '(.*)')", "cancelled: query was canceled in expression evaluation"},
      {"label_join(load, 'a', '-', 'node', 'text')", "cancelled: query was canceled in expression evaluation"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    std::atomic<bool> left{false};
    promql::EngineOptions options = limits();
    options.cancelled = &left;
    CHECK(end_of(row.text, options, Leaving(left)) == row.want);
    CHECK(left);
  }
}
