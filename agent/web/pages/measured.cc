#include "web/pages/measured.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "model/labels.h"
#include "web/routes.h"

namespace web {
namespace {

using nlohmann::json;

constexpr base::Millis kHour{3'600'000}, kDay{24 * kHour};

// What the store keeps, in spans that people ask for.
std::vector<std::pair<std::string, base::Millis>> ranges_within(base::Millis retention) {
  std::vector<std::pair<std::string, base::Millis>> out;
  const base::Millis most = std::min(retention, kDay);
  for (const base::Millis each : {base::Millis(kHour / 4), kHour, 6 * kHour, kDay})
    if (each <= most) out.emplace_back(base::format_duration(each), each);
  if (most > base::Millis{0} && (out.empty() || out.back().second < most))
    out.emplace_back(base::format_duration(most), most);
  return out;
}

// The series of a range query, by the label `probe`; `trouble` if it was refused.
std::vector<MeasuredLine> ask(const std::string& query, const Measured& span, const Request& request,
                              const Context& context, std::string& trouble) {
  Request question = request;
  const auto seconds = [](std::int64_t ms) { return fmt::format("{:.3f}", static_cast<double>(ms) / 1000); };
  question.params = {
      {"query", query}, {"start", seconds(span.start)}, {"end", seconds(span.end)}, {"step", seconds(span.step)}};
  const json answer = json::parse(api_query_range(question, context).body, nullptr, false);
  std::vector<MeasuredLine> out;
  if (!answer.is_object() || answer.value("status", "") != "success") {
    trouble = answer.is_object() ? answer.value("error", "no answer") : "no answer";
    return out;
  }
  for (const json& series : answer.at("data").at("result")) {
    MeasuredLine& line = out.emplace_back();
    line.name = series.at("metric").value("probe", "");
    for (const json& sample : series.at("values"))
      line.samples.emplace_back(static_cast<std::int64_t>(sample.at(0).get<double>() * 1000 + 0.5),
                                std::strtod(sample.at(1).get_ref<const std::string&>().c_str(), nullptr));
  }
  return out;
}

}  // namespace

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
  // On the grid of the steps, so that the graphic does not tremble while one looks at it.
  out.end = base::to_ms(context.now()) / out.step * out.step;
  out.start = out.end - (Measured::kSteps - 1) * out.step;
  const std::string labels = model::Labels{{"service", service.name}}.to_string();
  base::Millis slowest{0};  // a window that is shorter than the interval would have gaps
  for (const ProbePage& probe : service.probes) slowest = std::max(slowest, probe.interval);
  const std::string window = base::format_duration(base::Millis(std::max(out.step, slowest.count() * 3 / 2)));
  for (MeasuredLine& line : ask(fmt::format("min(avg_over_time(fettle_service_up{}[{}]))", labels, window), out,
                                request, context, out.trouble))
    out.up = std::move(line.samples);
  out.durations = ask(fmt::format("max by (probe) (max_over_time(probe_duration_seconds{}[{}]))", labels, window), out,
                      request, context, out.trouble);
  return out;
}

}  // namespace web
