#include <algorithm>
#include <map>

#include "web/api_answer.h"
#include "web/api_v1.h"

namespace web {
namespace {

std::string_view type_name(model::MetricType type) {
  switch (type) {
    case model::MetricType::counter: return "counter";
    case model::MetricType::histogram: return "histogram";
    case model::MetricType::gauge: return "gauge";
    case model::MetricType::info: return "info";
    case model::MetricType::unknown: break;
  }
  return "unknown";
}

// As in the text format, which is what a Prometheus that scrapes us keys its metadata by.
std::string scraped_name(const model::MetricFamily& family) {
  if (family.type == model::MetricType::counter) return family.name + "_total";
  if (family.type == model::MetricType::info) return family.name + "_info";
  return family.name;
}

}  // namespace

Response api_metadata(const Request& request, const Context& context) {
  const std::string only = request.param("metric");
  std::int64_t limit = -1;
  if (const std::string text = request.param("limit"); !text.empty()) {
    const auto value = parse_step(text);
    if (!value) return api_error("bad_data", "limit must be a number");
    limit = *value / 1000;
  }
  const auto snapshot = context.slot.load();
  std::map<std::string, model::MetricFamily> families;
  for (const auto& list : {snapshot->metrics, context.backend.self_metrics()})
    for (const model::MetricFamily& family : list)
      if (const std::string name = scraped_name(family); only.empty() || only == name)
        families.try_emplace(name, model::MetricFamily{family.name, family.help, family.type, {}});
  return api_success([&](Json& json) {
    json.object([&] {
      for (const auto& [name, family] : families) {
        if (limit == 0) break;
        --limit;
        json.key(name).array([&] {
          json.object([&] {
            json.key("type").string(type_name(family.type));
            json.key("help").string(family.help);
            json.key("unit").string("");
          });
        });
      }
    });
  });
}

// Grafana reads `version` to decide which Prometheus it talks to; `application` tells a person whom he really talks to.
Response api_buildinfo(const Context& context) {
  const auto snapshot = context.slot.load();
  const bool v2 = context.options.engine.compat == promql::Compat::v2;
  return api_success([&](Json& json) {
    json.object([&] {
      json.key("version").string(v2 ? "2.42.0" : "3.0.0");
      json.key("revision").string("");
      json.key("branch").string("");
      json.key("buildUser").string("");
      json.key("buildDate").string("");
      json.key("goVersion").string("");
      json.key("application").string("fettle");
      json.key("applicationVersion").string(snapshot->version);
    });
  });
}

Response api_config(const Context& context) {
  const auto snapshot = context.slot.load();
  return api_success(
      [&](Json& json) { json.object([&] { json.key("yaml").string(snapshot->config.redacted_text); }); });
}

}  // namespace web
