#include "cli/query.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/time.h"
#include "cli/client.h"
#include "cli/samples_file.h"
#include "cli/table.h"
#include "promql/engine.h"

namespace cli {
namespace {

using nlohmann::ordered_json;

ordered_json labels_json(const model::Labels& labels) {
  ordered_json out = ordered_json::object();
  for (const model::Label label : labels) out[std::string(label.name)] = label.value;
  return out;
}

ordered_json point_json(std::int64_t t, double v) { return {static_cast<double>(t) / 1e3, promql::format_value(v)}; }

ordered_json value_json(const promql::Value& value) {
  if (const auto* scalar = std::get_if<promql::ScalarValue>(&value)) return point_json(scalar->t, scalar->v);
  if (const auto* text = std::get_if<promql::StringValue>(&value)) return {static_cast<double>(text->t) / 1e3, text->v};
  ordered_json out = ordered_json::array();
  if (const auto* vector = std::get_if<promql::Vector>(&value))
    for (const auto& row : *vector)
      out.push_back({{"metric", labels_json(row.labels)}, {"value", point_json(row.sample.t, row.sample.v)}});
  if (const auto* matrix = std::get_if<promql::Matrix>(&value)) {
    for (const auto& series : *matrix) {
      ordered_json values = ordered_json::array();
      for (const model::Sample& sample : series.samples) values.push_back(point_json(sample.t, sample.v));
      out.push_back({{"metric", labels_json(series.labels)}, {"values", values}});
    }
  }
  return out;
}

// The answer in the API's form, from a file.
base::Result<std::string> evaluate_file(const QueryOptions& options) {
  promql::EngineOptions engine_options;
  engine_options.compat = options.compat == 2 ? promql::Compat::v2 : promql::Compat::v3;
  const promql::Parsed parsed = promql::parse(options.expr, engine_options.compat);
  if (!parsed.ok()) return base::fail(base::Kind::invalid, parsed.error_text());
  TRY(SamplesFile file, load_samples(options.openmetrics));
  const promql::MemoryQueryable data_of_file(std::move(file.series));
  promql::Engine engine(engine_options);
  ordered_json data;
  if (options.start.empty()) {
    std::int64_t t = file.newest;
    if (!options.time.empty()) {
      TRY(t, parse_time(options.time));
    }
    TRY(const promql::Value value, engine.instant(*parsed.expr, data_of_file, t));
    data = {{"resultType", promql::to_string(promql::type_of(value))}, {"result", value_json(value)}};
  } else {
    TRY(const std::int64_t start, parse_time(options.start));
    TRY(const std::int64_t end,
        parse_time(options.end.empty() ? fmt::format("{}", static_cast<double>(file.newest) / 1e3) : options.end));
    TRY(const std::int64_t step, parse_step(options.step.empty() ? "1m" : options.step));
    TRY(promql::Matrix matrix, engine.range(*parsed.expr, data_of_file, start, end, step));
    data = {{"resultType", "matrix"}, {"result", value_json(promql::Value(std::move(matrix)))}};
  }
  ordered_json answer{{"status", "success"}, {"data", data}};
  const promql::Remarks remarks = promql::shown(engine.annotations(), options.expr);
  if (!remarks.warnings.empty()) answer["warnings"] = remarks.warnings;
  if (!remarks.infos.empty()) answer["infos"] = remarks.infos;
  return answer.dump();
}

base::Result<std::string> ask_agent(const QueryOptions& options) {
  std::string path = options.start.empty() ? "/api/v1/query?" : "/api/v1/query_range?";
  path += "query=" + url_encode(options.expr);
  for (const auto& [key, value] :
       {std::pair{"time", options.time}, {"start", options.start}, {"end", options.end}, {"step", options.step}})
    if (!value.empty()) path += fmt::format("&{}={}", key, url_encode(value));
  return get(options.url, path);
}

std::string iso(const ordered_json& seconds) {
  return base::format_iso8601(base::wall_from_ms(std::llround(seconds.get<double>() * 1e3)));
}

std::string series_name(const ordered_json& metric) {
  std::vector<model::Label> labels;
  for (const auto& [name, value] : metric.items()) labels.push_back({name, value.get_ref<const std::string&>()});
  return model::Labels(std::move(labels)).to_string();
}

void print_table(const ordered_json& data) {
  const std::string type = data["resultType"];
  const ordered_json& result = data["result"];
  if (type == "scalar" || type == "string") {
    fmt::print("{}\n", base::foreign_lines(result[1].get<std::string>(), std::string::npos));
    return;
  }
  Table table(type == "vector" ? std::vector<std::string>{"SERIES", "VALUE"}
                               : std::vector<std::string>{"SERIES", "TIME", "VALUE"});
  for (const ordered_json& row : result) {
    const std::string name = series_name(row["metric"]);
    if (type == "vector") table.add({name, row["value"][1].get<std::string>()});
    else
      for (const ordered_json& point : row["values"]) table.add({name, iso(point[0]), point[1].get<std::string>()});
  }
  fmt::print("{}", table.render(colour_of_stdout()));
  if (result.empty()) fmt::print(stderr, "the result is empty: no series matches at this time\n");
}

}  // namespace

int run_query(const QueryOptions& options) {
  const auto answer = options.openmetrics.empty() ? ask_agent(options) : evaluate_file(options);
  if (!answer) {
    fmt::print(stderr, "fettle query: {}\n", answer.error().text);
    return 1;
  }
  if (options.output == Output::json) {
    fmt::print("{}\n", base::foreign_lines(*answer, std::string::npos));
    return 0;
  }
  const ordered_json parsed = ordered_json::parse(*answer, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("data")) {
    fmt::print(stderr, "fettle query: the answer is not what a Prometheus API gives: {}\n",
               base::foreign_text(*answer, 200));
    return 1;
  }
  print_table(parsed["data"]);
  for (const char* kind : {"warnings", "infos"})
    if (parsed.contains(kind))
      for (const ordered_json& remark : parsed[kind])
        fmt::print(stderr, "{}\n", base::foreign_text(remark.get<std::string>(), 4096));
  return 0;
}

}  // namespace cli
