#include "web/pages/graph_query.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "web/api/answer.h"
#include "web/pages/line_graphic.h"
#include "web/pages/parts.h"

namespace web {
namespace {

constexpr std::int64_t kSecond = 1'000, kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;
constexpr std::int64_t kMostRange = 366 * kDay;
constexpr std::int64_t kLatest = 7'258'118'400'000;  // 2200-01-01
constexpr std::int64_t kMostSteps = 240;             // three of the picture's units each
constexpr std::size_t kMostRows = 1000;              // of what has no graph

// A round length: the values of an hour are 15 s apart.
std::int64_t step_of(std::int64_t range) {
  constexpr std::array kRound{std::int64_t{100}, std::int64_t{200}, std::int64_t{500}, kSecond,      2 * kSecond,
                              5 * kSecond,       10 * kSecond,      15 * kSecond,      30 * kSecond, kMinute,
                              2 * kMinute,       5 * kMinute,       10 * kMinute,      30 * kMinute, kHour,
                              2 * kHour,         6 * kHour,         12 * kHour,        kDay,         2 * kDay};
  for (const std::int64_t step : kRound)
    if (range / step <= kMostSteps) return step;
  return 7 * kDay;
}

std::optional<std::int64_t> read_end(std::string text) {
  if (text.size() >= 16 && text[4] == '-' && (text[10] == ' ' || text[10] == 'T')) {
    text[10] = 'T';
    if (text.size() == 16) text += ":00";
    if (text.size() == 19) text += 'Z';
  }
  const auto t = parse_time(text);
  if (!t || *t < 0 || *t > kLatest) return {};
  return *t;
}

// Both fields, all mistakes at once.
void read_span(GraphQuery& query, const Context& context) {
  const auto range = base::parse_duration(query.range);
  if (!range || range->count() < kSecond || range->count() > kMostRange)
    query.mistakes.push_back(
        fmt::format("\"{}\" is no range: write how long it is, from 1s to 1y, as in 30m, 6h or 1h30m.", query.range));
  std::int64_t end = base::to_ms(context.now());
  if (!query.end.empty()) {
    const auto wanted = read_end(query.end);
    if (wanted) end = *wanted;
    else
      query.mistakes.push_back(fmt::format("\"{}\" is no end: write a time of UTC as in {}, or nothing for now.",
                                           query.end, date_and_clock(end)));
  }
  if (!query.mistakes.empty()) return;
  const std::int64_t step = step_of(range->count());
  query.span = {end - range->count() / step * step, end, step};
}

}  // namespace

GraphQuery graph_query(const Request& request, const Context& context) {
  GraphQuery out;
  out.expression = request.param("g0.expr");
  out.range = request.param("g0.range_input");
  out.end = request.param("g0.end_input");
  if (out.range.empty()) out.range = "1h";
  read_span(out, context);
  if (out.expression.empty()) return out;
  promql::Parsed parsed = promql::parse(out.expression, context.options.engine.compat);
  out.errors = std::move(parsed.errors);
  if (!parsed.ok() || !out.mistakes.empty()) return out;
  const promql::ValueType type = promql::type_of(*parsed.expr);
  const bool drawn = type == promql::ValueType::vector || type == promql::ValueType::scalar;
  if (!drawn) out.span = {out.span.end, out.span.end, 0};
  Request question = request;
  question.params = {{"query", out.expression}};
  auto value = query_value(*parsed.expr, out.span, drawn ? kMostLines : kMostRows, question, context);
  if (value) out.value = *std::move(value);
  else out.trouble = value.error().text;
  return out;
}

}  // namespace web
