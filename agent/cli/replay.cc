#include "cli/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/terminal.h"
#include "cli/table.h"
#include "cli/times.h"
#include "model/annotations.h"
#include "model/json.h"
#include "promql/queryable.h"
#include "promql/value.h"
#include "rules/tools/samples_file.h"

namespace cli {
namespace {

using nlohmann::ordered_json;

std::string iso(const std::optional<base::WallTime>& t, const char* none) {
  return t ? base::format_iso8601(*t) : none;
}

ordered_json time_json(const std::optional<base::WallTime>& t) {
  return t ? ordered_json(base::format_iso8601(*t)) : ordered_json(nullptr);
}

// A series as the exposition formats have it: no blank may stand behind a comma.
std::string exposed(const model::Labels& labels) {
  std::string inside;
  for (const model::Label label : labels)
    if (label.name != model::kMetricName)
      inside +=
          fmt::format("{}{}=\"{}\"", inside.empty() ? "" : ",", label.name, model::escape_label_value(label.value));
  return std::string(labels.metric_name()) + (inside.empty() ? "" : "{" + inside + "}");
}

base::Result<rules::Replayed> load_and_replay(const ReplayRequest& request) {
  config::Errors errors;
  std::vector<config::RuleGroup> sources;
  for (const std::string& file : request.rule_files)
    for (config::RuleGroup& group : config::load_rule_file(file, errors, rules::format_of(request.compat)))
      sources.push_back(std::move(group));
  std::vector<rules::CompiledGroupPtr> groups = rules::compile(std::move(sources), request.compat, errors);
  if (!errors.empty()) return base::fail(base::Kind::invalid, "\n" + errors.text());
  rules::ReplayOptions options;
  TRY(const std::int64_t step, parse_step(request.step));
  TRY(rules::SamplesFile samples, rules::load_samples(request.openmetrics));
  options.rules.engine.compat = request.compat;
  options.rules.engine.default_step_ms = step;
  options.rules.evaluation_interval = base::Millis{step};
  options.start_ms = samples.oldest;
  options.end_ms = samples.newest;
  if (!request.start.empty()) {
    TRY(options.start_ms, parse_time(request.start, samples.newest));
  }
  if (!request.end.empty()) {
    TRY(options.end_ms, parse_time(request.end, samples.newest));
  }
  if (options.end_ms < options.start_ms)
    return base::fail(base::Kind::invalid, fmt::format("the replay would end ({}) before it starts ({})",
                                                       base::format_iso8601(base::wall_from_ms(options.end_ms)),
                                                       base::format_iso8601(base::wall_from_ms(options.start_ms))));
  return rules::replay(std::move(groups), std::move(samples.series), options);
}

}  // namespace

std::string replay_table(const rules::Replayed& replayed, base::Colour colour) {
  Table table({"ALERT", "PENDING FROM", "FIRING FROM", "ENDED AT", "FIRED FOR", "LABELS", "SUMMARY"});
  std::size_t fired = 0;
  for (const rules::Episode& one : replayed.episodes) {
    fired += one.firing_from.has_value();
    const bool whole = one.firing_from && one.ended_at;
    table.add({{std::string(one.labels.get("alertname")), one.firing_from ? Tone::bad : Tone::warn},
               base::format_iso8601(one.pending_from),
               iso(one.firing_from, "never"),
               iso(one.ended_at, "not yet"),
               whole ? base::format_duration(*one.ended_at - *one.firing_from) : "-",
               one.labels.without("alertname").to_string(),
               std::string(model::summary_of(one.annotations))});
  }
  std::string out = replayed.episodes.empty() ? "" : table.render(colour);
  out += fmt::format("groups: {}, evaluations: {}, fired: {}, pending only: {}\n", replayed.groups,
                     replayed.evaluations, fired, replayed.episodes.size() - fired);
  return out;
}

std::string replay_openmetrics(const rules::Replayed& replayed) {
  std::vector<const promql::MemoryQueryable::Entry*> sorted;
  for (const auto& entry : replayed.written) sorted.push_back(&entry);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto* a, const auto* b) { return a->labels.metric_name() < b->labels.metric_name(); });
  std::string out;
  std::string_view family;
  for (const auto* entry : sorted) {
    if (entry->labels.metric_name() != family) {
      family = entry->labels.metric_name();
      out += fmt::format("# TYPE {} {}\n", family, family.starts_with("ALERTS") ? "gauge" : "unknown");
    }
    const std::string series = exposed(entry->labels);
    for (const model::Sample& sample : entry->samples)
      if (!model::is_stale(sample.v))
        out +=
            fmt::format("{} {} {:.3f}\n", series, promql::format_value(sample.v), static_cast<double>(sample.t) / 1e3);
  }
  return out + "# EOF\n";
}

std::string replay_json(const rules::Replayed& replayed) {
  ordered_json alerts = ordered_json::array(), errors = ordered_json::array();
  for (const rules::Episode& one : replayed.episodes)
    alerts.push_back({{"group", one.group},
                      {"labels", model::label_object<ordered_json>(one.labels)},
                      {"annotations", model::label_object<ordered_json>(one.annotations)},
                      {"value", promql::format_value(one.value)},
                      {"pendingFrom", time_json(one.pending_from)},
                      {"firingFrom", time_json(one.firing_from)},
                      {"endedAt", time_json(one.ended_at)}});
  for (const rules::ReplayError& one : replayed.errors)
    errors.push_back({{"group", one.group},
                      {"rule", one.rule},
                      {"error", one.text},
                      {"times", one.times},
                      {"first", time_json(one.first)},
                      {"last", time_json(one.last)}});
  const ordered_json data{
      {"groups", replayed.groups}, {"evaluations", replayed.evaluations}, {"alerts", alerts}, {"errors", errors}};
  return ordered_json{{"status", "success"}, {"data", data}}.dump() + "\n";
}

int run_replay(const ReplayRequest& request) {
  const auto replayed = load_and_replay(request);
  if (!replayed) {
    base::print(stderr, "fettle rules replay: {}\n", replayed.error().text);
    return 1;
  }
  if (replayed->replaced > 0)
    base::print(stderr, "{} series of {} are what these rules write themselves; they were made anew\n",
                replayed->replaced, request.openmetrics);
  for (const rules::ReplayError& one : replayed->errors)
    base::print(stderr, "{}/{}: {} ({} times, first at {}, last at {})\n", one.group, one.rule, one.text, one.times,
                base::format_iso8601(one.first), base::format_iso8601(one.last));
  switch (request.output) {
    case ReplayOutput::table: base::print(stdout, "{}", replay_table(*replayed, colour_of_stdout())); break;
    case ReplayOutput::openmetrics: fmt::print("{}", replay_openmetrics(*replayed)); break;
    case ReplayOutput::json: fmt::print("{}", replay_json(*replayed)); break;
  }
  return replayed->errors.empty() ? 0 : 1;
}

}  // namespace cli
