#include "web/pages/measured.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "model/labels.h"
#include "promql/parser.h"
#include "web/api/query_value.h"

namespace web {
namespace {

constexpr base::Millis kHour{3'600'000}, kDay{24 * kHour};

// The series of an expression of ours, by the label `probe`; `trouble` if it was refused.
std::vector<GraphicLine> ask(const std::string& query, const Measured& span, const Request& request,
                             const Context& context, std::string& trouble) {
  Request question = request;
  question.params = {{"query", query}};
  const promql::Parsed parsed = promql::parse(query, context.options.engine.compat);
  CHECK(parsed.ok());
  const auto answer = query_value(*parsed.expr, {span.start, span.end, span.step}, kMostLines, question, context);
  std::vector<GraphicLine> out;
  if (!answer) {
    trouble = answer.error().text;
    return out;
  }
  for (const promql::Series& series : std::get<promql::Matrix>(answer->value)) {
    GraphicLine& line = out.emplace_back(GraphicLine{std::string(series.labels.get("probe")), {}});
    for (const model::Sample& sample : series.samples) line.samples.emplace_back(sample.t, sample.v);
  }
  return out;
}

}  // namespace

std::vector<std::pair<std::string, base::Millis>> ranges_within(base::Millis retention) {
  std::vector<std::pair<std::string, base::Millis>> out;
  const base::Millis most = std::min(retention, kDay);
  for (const base::Millis each : {base::Millis(kHour / 4), kHour, 6 * kHour, kDay})
    if (each <= most) out.emplace_back(base::format_duration(each), each);
  if (most > base::Millis{0} && (out.empty() || out.back().second < most))
    out.emplace_back(base::format_duration(most), most);
  return out;
}

Measured measured(const ServicePage& service, const std::string& range, const Snapshot& snapshot,
                  const Request& request, const Context& context) {
  Measured out;
  out.ranges = ranges_within(snapshot.retention);
  if (out.ranges.empty()) return out;
  const auto wanted =
      std::find_if(out.ranges.begin(), out.ranges.end(), [&](const auto& r) { return r.first == range; });
  // Of an hour, or of a quarter while the agent has run for less.
  const base::Millis fit = context.now() - snapshot.started < kHour / 4 ? base::Millis(kHour / 4) : kHour;
  const auto usual = std::find_if(out.ranges.begin(), out.ranges.end(), [&](const auto& r) { return r.second == fit; });
  const auto& chosen = wanted != out.ranges.end() ? *wanted : usual != out.ranges.end() ? *usual : out.ranges.back();
  out.range = chosen.first;
  out.step = std::max<std::int64_t>(1000, chosen.second.count() / Measured::kSteps);
  // On the grid of the steps, so that the graphic does not tremble while one looks at it. The step that runs now is
  // there as far as it has come: of a day it is twelve minutes long, and a fault of five is what one looks for.
  out.end = (base::to_ms(context.now()) + out.step - 1) / out.step * out.step;
  out.start = out.end - (Measured::kSteps - 1) * out.step;
  const std::string labels = model::Labels{{"service", service.name}}.to_string();
  base::Millis slowest{0};  // a window that is shorter than the interval would have gaps
  for (const ProbePage& probe : service.probes) slowest = std::max(slowest, probe.interval);
  const std::string window = base::format_duration(base::Millis(std::max(out.step, slowest.count() * 3 / 2)));
  for (GraphicLine& line : ask(fmt::format("min(avg_over_time(fettle_service_up{}[{}]))", labels, window), out, request,
                               context, out.trouble))
    out.up = std::move(line.samples);
  out.durations_query = fmt::format("max by (probe) (max_over_time(probe_duration_seconds{}[{}]))", labels, window);
  out.durations = ask(out.durations_query, out, request, context, out.trouble);
  return out;
}

}  // namespace web
