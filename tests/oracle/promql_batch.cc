// Answers one JSON case per line of standard input with one JSON line, so that PromQL conformance sets can be run
// against the engine:
//   {"id":1,"data":"series.json","kind":"instant","expr":"up","time":1700000000}      seconds
//   {"id":2,"data":"series.json","kind":"range","expr":"up","start":..,"end":..,"step":..}
//   {"id":3,"kind":"parse","expr":"1 +"}
// The answer is {"id":1,"data":{"resultType":..,"result":..}} or {"id":1,"error":".."}. A data file has one series per
// line: {"metric":{..},"samples":[[t_ms,"value"],..]}, with "stale" for the staleness marker. Instead of a file, a case
// may carry the series itself, as an array under "series". With "annotations":true the answer has "warnings" and
// "infos".
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "promql/annotations.h"
#include "promql/engine.h"
#include "promql/parser.h"

namespace {

using nlohmann::json;
using promql::Compat;

double number(const std::string& text) {
  if (text == "stale") return model::stale_marker();
  if (text == "NaN") return std::nan("");
  if (text == "+Inf" || text == "Inf") return INFINITY;
  if (text == "-Inf") return -INFINITY;
  return std::strtod(text.c_str(), nullptr);
}

promql::MemoryQueryable::Entry entry(const json& series) {
  promql::MemoryQueryable::Entry out;
  std::vector<model::Label> labels;
  for (const auto& [name, value] : series["metric"].items())
    labels.push_back({name, value.get_ref<const std::string&>()});
  out.labels = model::Labels(std::move(labels));
  for (const json& sample : series["samples"])
    out.samples.push_back({sample[0].get<std::int64_t>(), number(sample[1].get<std::string>())});
  return out;
}

json metric(const model::Labels& labels) {
  json out = json::object();
  for (const model::Label label : labels) out[std::string(label.name)] = std::string(label.value);
  return out;
}

json point(std::int64_t t, double v) { return {static_cast<double>(t) / 1e3, promql::format_value(v)}; }

json matrix(const promql::Matrix& value) {
  json result = json::array();
  for (const promql::Series& series : value) {
    json values = json::array();
    for (const model::Sample& sample : series.samples) values.push_back(point(sample.t, sample.v));
    result.push_back({{"metric", metric(series.labels)}, {"values", std::move(values)}});
  }
  return {{"resultType", "matrix"}, {"result", std::move(result)}};
}

json instant(const promql::Value& value) {
  if (const auto* scalar = std::get_if<promql::ScalarValue>(&value))
    return {{"resultType", "scalar"}, {"result", point(scalar->t, scalar->v)}};
  if (const auto* text = std::get_if<promql::StringValue>(&value))
    return {{"resultType", "string"}, {"result", {static_cast<double>(text->t) / 1e3, text->v}}};
  if (const auto* all = std::get_if<promql::Matrix>(&value)) return matrix(*all);
  json result = json::array();
  for (const promql::VectorSample& element : std::get<promql::Vector>(value))
    result.push_back({{"metric", metric(element.labels)}, {"value", point(element.sample.t, element.sample.v)}});
  return {{"resultType", "vector"}, {"result", std::move(result)}};
}

std::int64_t milliseconds(const json& seconds) { return std::llround(seconds.get<double>() * 1e3); }

class Batch {
 public:
  explicit Batch(Compat compat) : compat_(compat), engine_({.compat = compat}) {}

  json answer(const json& request) {
    json out = value_of(request);
    if (request.value("annotations", false) && out.contains("data")) {
      const promql::Annotations said =
          promql::format_annotations(engine_.annotations(), request["expr"].get_ref<const std::string&>());
      out["warnings"] = said.warnings;
      out["infos"] = said.infos;
    }
    return out;
  }

 private:
  json value_of(const json& request) {
    const promql::Parsed parsed = promql::parse(request["expr"].get_ref<const std::string&>(), compat_);
    const std::string kind = request["kind"];
    if (!parsed.ok()) return {{"error", parsed.error_text()}};
    if (kind == "parse") return {{"data", promql::print(*parsed.expr)}};
    const promql::MemoryQueryable& series = data(request);
    if (kind == "range") {
      const auto value = engine_.range(*parsed.expr, series, milliseconds(request["start"]),
                                       milliseconds(request["end"]), milliseconds(request["step"]));
      if (!value) return {{"error", value.error().text}};
      return {{"data", matrix(*value)}};
    }
    const auto value = engine_.instant(*parsed.expr, series, milliseconds(request["time"]));
    if (!value) return {{"error", value.error().text}};
    return {{"data", instant(*value)}};
  }

  const promql::MemoryQueryable& data(const json& request) {
    std::vector<promql::MemoryQueryable::Entry> entries;
    if (request.contains("series")) {
      for (const json& series : request["series"]) entries.push_back(entry(series));
      inline_ = promql::MemoryQueryable(std::move(entries));
      return inline_;
    }
    const std::string path = request["data"];
    const auto found = files_.find(path);
    if (found != files_.end()) return found->second;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);)
      if (!line.empty()) entries.push_back(entry(json::parse(line)));
    return files_.try_emplace(path, std::move(entries)).first->second;
  }

  Compat compat_;
  promql::Engine engine_;
  std::map<std::string, promql::MemoryQueryable> files_;
  promql::MemoryQueryable inline_;
};

}  // namespace

int main(int argc, char** argv) {
  Compat compat = Compat::v3;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (arg == "--promql.compat=2") {
      compat = Compat::v2;
    } else if (arg != "--promql.compat=3") {
      std::cerr << "usage: promql_batch [--promql.compat=2|3] < cases.jsonl\n";
      return 2;
    }
  }
  Batch batch(compat);
  for (std::string line; std::getline(std::cin, line);) {
    if (line.empty()) continue;
    const json request = json::parse(line);
    json answer = batch.answer(request);
    answer["id"] = request.value("id", json());
    std::cout << answer.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
  }
}
