// Feeds mutated expressions to parser and engine and checks what must hold for any text: nothing crashes, what parses
// prints to something that parses to the same print, and a range query gives at every step what an instant query gives
// at that time. The same seed gives the same run. Usage: promql_mutation [ROUNDS [SEED]]
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "promql/engine.h"
#include "promql/parser.h"

namespace {

using promql::Compat;

const std::vector<std::string> kSeeds{
    "sum by (shop) (rate(orders_total{shop=~\"e.|us\"}[5m])) / on (shop) group_left (team) owner > bool 0.5",
    "topk(2, stock) or bottomk without (item) (1, stock offset 2m)",
    "histogram_quantile(0.9, sum by (le) (rate(wait_bucket[10m])))",
    "label_replace(stock, \"to\", \"$1-${2}x\", \"item\", \"(t)(.*)\") unless ignoring (to) stock{item!=\"tea\"}",
    "max_over_time(deriv(stock[3m])[10m:1m] offset 30s)",
    "predict_linear(stock{shop=\"eu\"}[6m], 3600) < 0 and absent(nosuch{a=\"b\"})",
    "quantile(0.25, -stock ^ 2 % 7) + scalar(owner) * time()",
    "count_values(\"v\", round(stock / 3, 0.5))",
    "avg_over_time((stock > 3)[5m:45s]) >= ignoring (item) group_right min by (shop) (stock)",
    "clamp(day_of_week(vector(time())), 1, 5) - minute() atan2 pi()",
    "label_join(up, \"both\", \"/\", \"shop\", \"item\") == 1",
    "{__name__=~\"st.*|up\", shop!~\"x|y\"} * 2",
    "quantile_over_time(scalar(owner), orders_total[4m]) != NaN",
    "sort_desc(stddev_over_time(stock[5m]) - timestamp(stock))",
    "'a\\'b\\x41' # comment",
    "sum(stock @ 300) + stock @ end() - stock @ start() offset -1m",
};

const std::vector<std::string> kPieces{
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "+",
    "-",
    "*",
    "^",
    "==",
    "=~",
    "!",
    "\"",
    "'",
    "`",
    "\\",
    "#",
    "\n",
    "@",
    "offset",
    "5m",
    "1h30m",
    "0",
    "1e308",
    "NaN",
    "-Inf",
    "0x1F",
    "1_0",
    "by",
    "without",
    "on",
    "ignoring",
    "bool",
    "group_left",
    "sum",
    "rate",
    "stock",
    "and",
    "unless",
    "[5m:1m]",
    "[1ms:]",
    "start()",
    "\xff",
    "\xe2\x98\xba",
    "sum by (a)(",
    "((((",
    "-----",
    "{a=\"b\"}",
    "abs(",
    " or up",
    "topk(3,",
    "quantile(",
    "1y",
};

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::size_t below(std::size_t limit) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<std::size_t>(state_ % limit);
  }

 private:
  std::uint64_t state_;
};

std::string mutated(Random& random) {
  std::string text = kSeeds[random.below(kSeeds.size())];
  for (std::size_t changes = random.below(4); changes > 0; --changes) {
    const std::size_t at = random.below(text.size() + 1);
    const std::size_t length = std::min(text.size() - at, 1 + random.below(8));
    switch (random.below(6)) {
      case 0: text.erase(at, length); break;
      case 1: text.insert(at, kPieces[random.below(kPieces.size())]); break;
      case 2: text.replace(at, length, kPieces[random.below(kPieces.size())]); break;
      case 3: text.insert(at, text.substr(at, length)); break;
      case 4: text = '(' + text + ')' + kPieces[random.below(kPieces.size())]; break;
      default: {
        const std::string& other = kSeeds[random.below(kSeeds.size())];
        text.insert(at, other.substr(random.below(other.size())));
      }
    }
    if (text.empty()) text = "1";
  }
  return text;
}

promql::MemoryQueryable some_data() {
  promql::MemoryQueryable data;
  Random random(7);
  const auto fill = [&](const model::Labels& labels, bool counter) {
    double v = 1;
    for (std::int64_t t = 0; t <= 1'200'000; t += 30'000) {
      const std::size_t luck = random.below(20);
      v = counter && luck != 3 ? v + static_cast<double>(luck) : static_cast<double>(luck);
      if (luck == 0) data.append(labels, {t, model::stale_marker()});
      else if (luck == 1) data.append(labels, {t, std::nan("")});
      else if (luck != 2) data.append(labels, {t, v});
    }
  };
  for (const char* shop : {"eu", "us", "jp"}) {
    for (const char* item : {"tea", "mug"}) fill({{"__name__", "stock"}, {"shop", shop}, {"item", item}}, false);
    fill({{"__name__", "orders_total"}, {"shop", shop}}, true);
    fill({{"__name__", "owner"}, {"shop", shop}, {"team", "blue"}}, false);
    fill({{"__name__", "up"}, {"shop", shop}}, false);
    for (const char* le : {"0.1", "1", "+Inf"}) fill({{"__name__", "wait_bucket"}, {"shop", shop}, {"le", le}}, true);
  }
  return data;
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

class Check {
 public:
  explicit Check(Compat compat) : compat_(compat), engine_({.compat = compat, .max_samples = 200'000}) {}

  void text(const std::string& text, const promql::MemoryQueryable& data) {
    const promql::Parsed parsed = promql::parse(text, compat_);
    if (!parsed.ok()) {
      if (parsed.errors.empty() || parsed.error_text().empty()) complain(text, "is refused without a reason");
      return;
    }
    ++accepted_;
    const std::string printed = promql::print(*parsed.expr);
    const promql::Parsed again = promql::parse(printed, compat_);
    if (!again.ok()) return complain(text, "prints as " + printed + ", which is refused: " + again.error_text());
    // Prometheus prints infinity as +Inf, and in front of ^ that plus reads as an operator of its own.
    const bool ambiguous = printed.find("Inf ^") != std::string::npos;
    if (!ambiguous && promql::print(*again.expr) != printed) return complain(text, "prints in two ways: " + printed);
    promql::needs(*parsed.expr);
    evaluate(text, *parsed.expr, data);
  }
  int accepted() const { return accepted_; }
  int wrong() const { return wrong_; }

 private:
  void evaluate(const std::string& text, const promql::Expr& expr, const promql::MemoryQueryable& data) {
    constexpr std::int64_t kStart = 400'000, kEnd = 700'000, kStep = 100'000;
    const auto range = engine_.range(expr, data, kStart, kEnd, kStep);
    std::map<std::int64_t, std::map<model::Labels, double>> steps;
    if (range)
      for (const promql::Series& series : *range)
        for (const model::Sample& sample : series.samples) steps[sample.t][series.labels] = sample.v;
    for (std::int64_t t = kStart; t <= kEnd; t += kStep) {
      const auto instant = engine_.instant(expr, data, t);
      // start() and end() mean something else in either query, and 2.x lets @ windows move.
      if (!instant || !range || text.find('@') != std::string::npos) continue;
      std::map<model::Labels, double> now;
      if (const auto* scalar = std::get_if<promql::ScalarValue>(&*instant)) now[{}] = scalar->v;
      if (const auto* vector = std::get_if<promql::Vector>(&*instant))
        for (const promql::VectorSample& element : *vector) now[element.labels] = element.sample.v;
      const auto& then = steps[t];
      const bool equal = now.size() == then.size() &&
                         std::equal(now.begin(), now.end(), then.begin(), [](const auto& a, const auto& b) {
                           return a.first == b.first && same(a.second, b.second);
                         });
      if (!equal) return complain(text, fmt::format("differs at {} ms between an instant and a range query", t));
    }
  }

  void complain(const std::string& text, const std::string& why) {
    ++wrong_;
    std::cerr << fmt::format("compat {}: {}\n  {}\n", compat_ == Compat::v2 ? 2 : 3, text, why);
  }

  Compat compat_;
  promql::Engine engine_;
  int accepted_ = 0;
  int wrong_ = 0;
};

std::string repeated(const std::string& piece, std::size_t times, const std::string& end) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += piece;
  return out + end;
}

}  // namespace

int main(int argc, char** argv) {
  const long rounds = argc > 1 ? std::atol(argv[1]) : 4000;
  Random random(argc > 2 ? static_cast<std::uint64_t>(std::atol(argv[2])) : 1);
  const promql::MemoryQueryable data = some_data();
  Check v2(Compat::v2);
  Check v3(Compat::v3);
  for (long i = 0; i < rounds; ++i) {
    const std::string text = mutated(random);
    v2.text(text, data);
    v3.text(text, data);
  }
  // Depth, in every way to reach it: refused with an error or answered, never a crash.
  for (const std::size_t times : {100u, 390u, 1000u, 100'000u})
    for (const std::string& deep :
         {repeated("(", times, "1" + repeated(")", times, "")), repeated("-", times, "up"),
          repeated("abs(", times, "up"), repeated("up + ", times, "up"), repeated("2 ^ ", times, "2"),
          repeated("sum by (a) (", times, "up"), "up" + repeated("[1m:30s]", times, ""),
          "sum(up" + repeated(" or up", times, ")"), repeated("{", times, ""), repeated("a[", times, ""),
          repeated("up * on (a) -", times, "up")})
      v3.text(deep, data);
  const int wrong = v2.wrong() + v3.wrong();
  std::cout << fmt::format("{} texts, {} accepted by 2, {} by 3, {} wrong\n", rounds, v2.accepted(), v3.accepted(),
                           wrong);
  return wrong == 0 && v2.accepted() > 0 && v3.accepted() > 0 ? 0 : 1;
}
