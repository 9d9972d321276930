#include "cli/query.h"

#include <fmt/format.h>

#include <cstdio>

#include "base/percent.h"
#include "base/terminal.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/answer.h"
#include "cli/client.h"
#include "cli/exit_code.h"
#include "cli/table.h"
#include "cli/times.h"
#include "model/json.h"
#include "promql/engine.h"
#include "rules/tools/samples_file.h"

namespace cli {
namespace {

Json point_json(std::int64_t t, double v) { return {static_cast<double>(t) / 1e3, promql::format_value(v)}; }

Json value_json(const promql::Value& value) {
  if (const auto* scalar = std::get_if<promql::ScalarValue>(&value)) return point_json(scalar->t, scalar->v);
  if (const auto* text = std::get_if<promql::StringValue>(&value)) return {static_cast<double>(text->t) / 1e3, text->v};
  Json out = Json::array();
  if (const auto* vector = std::get_if<promql::Vector>(&value))
    for (const auto& row : *vector)
      out.push_back(
          {{"metric", model::label_object<Json>(row.labels)}, {"value", point_json(row.sample.t, row.sample.v)}});
  if (const auto* matrix = std::get_if<promql::Matrix>(&value)) {
    for (const auto& series : *matrix) {
      Json values = Json::array();
      for (const model::Sample& sample : series.samples) values.push_back(point_json(sample.t, sample.v));
      out.push_back({{"metric", model::label_object<Json>(series.labels)}, {"values", values}});
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
  TRY(rules::SamplesFile file, rules::load_samples(options.openmetrics));
  const promql::MemoryQueryable data_of_file(std::move(file.series));
  promql::Engine engine(engine_options);
  Json data;
  if (options.start.empty()) {
    std::int64_t t = file.newest;
    if (!options.time.empty()) {
      TRY(t, parse_time(options.time, file.newest));
    }
    TRY(const promql::Value value, engine.instant(*parsed.expr, data_of_file, t));
    data = {{"resultType", promql::to_string(promql::type_of(value))}, {"result", value_json(value)}};
  } else {
    TRY(const std::int64_t start, parse_time(options.start, file.newest));
    std::int64_t end = file.newest;
    if (!options.end.empty()) {
      TRY(end, parse_time(options.end, file.newest));
    }
    TRY(const std::int64_t step, parse_step(options.step.empty() ? "1m" : options.step));
    TRY(promql::Matrix matrix, engine.range(*parsed.expr, data_of_file, start, end, step));
    data = {{"resultType", "matrix"}, {"result", value_json(promql::Value(std::move(matrix)))}};
  }
  Json answer{{"status", "success"}, {"data", data}};
  const promql::Annotations annotations = promql::format_annotations(engine.annotations(), options.expr);
  if (!annotations.warnings.empty()) answer["warnings"] = annotations.warnings;
  if (!annotations.infos.empty()) answer["infos"] = annotations.infos;
  return answer.dump();
}

base::Result<std::string> ask_agent(const QueryOptions& options) {
  std::string path = options.start.empty() ? "/api/v1/query?" : "/api/v1/query_range?";
  path += "query=" + base::percent_encode(options.expr);
  const std::int64_t now = base::to_ms(std::chrono::floor<base::Millis>(std::chrono::system_clock::now()));
  // A range ends now and has a value for each minute where nothing else is said, as over a file.
  const std::string end = options.end.empty() && !options.start.empty() ? "-0s" : options.end;
  for (const auto& [key, value] : {std::pair{"time", options.time}, {"start", options.start}, {"end", end}})
    if (!value.empty()) path += fmt::format("&{}={}", key, base::percent_encode(api_time(value, now)));
  if (!options.start.empty()) path += "&step=" + base::percent_encode(options.step.empty() ? "1m" : options.step);
  return get(options.agent, path);
}

std::string iso(const Json& seconds) {
  return base::format_iso8601(base::wall_from_ms(milliseconds_of(seconds.get<double>())));
}

// What goes to standard output and to standard error.
struct Shown {
  std::string out, err;
};

Shown table_of(const Json& data) {
  const auto type = data.at("resultType").get<std::string>();
  const Json& result = list_of(data, "result");
  if (type == "scalar" || type == "string") return {result.at(1).get<std::string>() + "\n", ""};
  if (type != "vector" && type != "matrix") throw WrongAnswer();
  Table table(type == "vector" ? std::vector<std::string>{"SERIES", "VALUE"}
                               : std::vector<std::string>{"SERIES", "TIME", "VALUE"});
  for (const Json& row : result) {
    const std::string name = model::read_labels(mapping_of(row, "metric")).to_string();
    if (type == "vector") table.add({name, list_of(row, "value").at(1).get<std::string>()});
    else
      for (const Json& point : list_of(row, "values"))
        table.add({name, iso(point.at(0)), point.at(1).get<std::string>()});
  }
  return {table.render(colour_of_stdout()),
          result.empty() ? "the result is empty: no series matches at this time\n" : ""};
}

}  // namespace

int run_query(const QueryOptions& options) {
  const bool json = options.output == Output::json;
  const auto shown = read_answer(options.agent.shown(), [&]() -> base::Result<Shown> {
    TRY(const std::string answer, options.openmetrics.empty() ? ask_agent(options) : evaluate_file(options));
    const Json parsed = success_in(answer);
    if (json) return Shown{answer + "\n", ""};
    Shown out = table_of(parsed.at("data"));
    for (const char* kind : {"warnings", "infos"})
      if (parsed.contains(kind))
        for (const Json& annotation : list_of(parsed, kind))
          out.err += base::foreign_text(annotation.get<std::string>(), 4096) + "\n";
    return out;
  });
  if (!shown) {
    base::print(stderr, "fettle query: {}\n", shown.error().text);
    return exit_code_of(shown.error());
  }
  base::print(stdout, "{}", shown->out);
  base::print(stderr, "{}", shown->err);
  return 0;
}

}  // namespace cli
