// Feeds mutated expressions to parser and engine (expression_check.h says what is checked). The same seed gives the
// same run. Usage: promql_mutation [ROUNDS [SEED]]
#include <fmt/format.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "fuzz/expression_check.h"

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
    "hour(odd) + days_in_month(odd) * year(odd) - clamp(odd, -1, 1)",
    "histogram_quantile(0.5, odd) or topk(scalar(odd), odd) or label_replace(odd, \"le\", \"$1\", \"shop\", \"(.*)\")",
    "odd ^ 0.3 + sin(odd) - log10(odd) / exp(odd) % cosh(odd) + round(odd, 0.1)",
    "predict_linear(odd[5m], 1e18) + deriv(odd[10m]) + stddev_over_time(odd[9m]) + irate(odd[2m])",
    "sort_by_label(stock, \"item\") or limitk(2, up) or mad_over_time(stock[5m])",
    "{\"stock\", \"shop\"=\"eu\"} + on (shop) group_right () sum by (\"shop\") (up offset 90)",
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

std::string mutated(fuzz::Random& random) {
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

std::string repeated(const std::string& piece, std::size_t times, const std::string& end) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += piece;
  return out + end;
}

}  // namespace

int main(int argc, char** argv) {
  const long rounds = argc > 1 ? std::atol(argv[1]) : 4000;
  fuzz::Random random(argc > 2 ? static_cast<std::uint64_t>(std::atol(argv[2])) : 1);
  const promql::MemoryQueryable data = fuzz::some_data();
  fuzz::ExpressionCheck v2(Compat::v2);
  fuzz::ExpressionCheck v3(Compat::v3);
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
