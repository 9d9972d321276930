#include "fuzz/expression_check.h"

#include <fmt/format.h>

#include <cmath>
#include <iostream>
#include <limits>
#include <map>

#include "fuzz/fuzz.h"

namespace fuzz {

using promql::Compat;

namespace {

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

}  // namespace

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
  constexpr double kOdd[] = {0.0, -0.0,    1e308, -1e308, 5e-324, 0x1p63, -0x1p63, 0x1p53,        1e-300,
                             0.1, 1.0 / 3, 1e18,  -1e18,  3e9,    -3e9,   1.7e12,  253402300800.0};
  std::int64_t t = 0;
  for (const double v : kOdd) {
    data.append({{"__name__", "odd"}, {"shop", "eu"}}, {t, v});
    data.append({{"__name__", "odd"}, {"shop", "us"}},
                {t, t % 60'000 == 0 ? std::numeric_limits<double>::infinity() : -v});
    data.append({{"__name__", "odd"}, {"shop", "jp"}, {"le", "1e400"}}, {t, 1 / v});
    t += 20'000 + t % 7;
  }
  return data;
}

ExpressionCheck::ExpressionCheck(Compat compat)
    : compat_(compat), engine_({.compat = compat, .max_samples = 200'000, .timeout = base::Millis{5'000}}) {}

void ExpressionCheck::text(const std::string& text, const promql::MemoryQueryable& data) {
  const promql::Parsed parsed = promql::parse(text, compat_);
  if (!parsed.ok()) {
    if (parsed.errors.empty() || parsed.error_text().empty()) complain(text, "is refused without a reason");
    return;
  }
  const std::string printed = promql::print(*parsed.expr);
  const promql::Parsed again = promql::parse(printed, compat_);
  if (!again.ok()) return complain(text, "prints as " + printed + ", which is refused: " + again.error_text());
  // Prometheus prints infinity as +Inf, and in front of ^ that plus reads as an operator of its own.
  const bool ambiguous = printed.find("Inf ^") != std::string::npos;
  if (!ambiguous && promql::print(*again.expr) != printed) return complain(text, "prints in two ways: " + printed);
  promql::needs(*parsed.expr);
  evaluate(text, *parsed.expr, data);
}

void ExpressionCheck::evaluate(const std::string& text, const promql::Expr& expr, const promql::MemoryQueryable& data) {
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
    const bool equal =
        now.size() == then.size() && std::equal(now.begin(), now.end(), then.begin(), [](const auto& a, const auto& b) {
          return a.first == b.first && same(a.second, b.second);
        });
    if (!equal) return complain(text, fmt::format("differs at {} ms between an instant and a range query", t));
  }
}

void ExpressionCheck::complain(const std::string& text, const std::string& why) {
  ++wrong_;
  std::cerr << fmt::format("compat {}: {}\n  {}\n", compat_ == Compat::v2 ? 2 : 3, text, why);
}

}  // namespace fuzz
