#include <algorithm>
#include <map>

#include "web/all_metrics.h"
#include "web/api/answer.h"
#include "web/routes.h"

namespace web {
namespace {

std::string_view type_name(model::MetricType type) {
  switch (type) {
    case model::MetricType::counter: return "counter";
    case model::MetricType::histogram: return "histogram";
    case model::MetricType::summary: return "summary";
    case model::MetricType::gauge: return "gauge";
    case model::MetricType::info: return "info";
    case model::MetricType::unknown: break;
  }
  return "unknown";
}

}  // namespace

Response api_metadata(const Request& request, const Context& context) {
  const std::string only = request.param("metric");
  std::int64_t limit = -1;
  if (const std::string text = request.param("limit"); !text.empty()) {
    const auto value = parse_step(text);
    if (!value) return api_error(ErrorType::bad_data, "limit must be a number");
    limit = *value / 1000;
  }
  // By the family's name, without _total and _info: so they stand in OpenMetrics, which is what Prometheus scrapes.
  std::map<std::string, model::MetricFamily> families;
  const Metrics metrics = all_metrics(context);
  for (const model::MetricPage* page : {&metrics.own, metrics.found.get()})
    for (model::MetricFamily& family : model::families_of(*page))
      if (only.empty() || only == family.name) families.try_emplace(family.name, std::move(family));
  return api_success([&](encoding::Json& json) {
    json.object([&] {
      for (const auto& [name, family] : families) {
        if (limit == 0) break;
        --limit;
        json.key(name).array([&, &family = family] {
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
Response api_buildinfo(const Request&, const Context& context) {
  const auto snapshot = context.slot.load();
  const bool v2 = context.options.engine.compat == promql::Compat::v2;
  return api_success([&](encoding::Json& json) {
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

Response api_config(const Request&, const Context& context) {
  const auto snapshot = context.slot.load();
  return api_success(
      [&](encoding::Json& json) { json.object([&] { json.key("yaml").string(snapshot->config.redacted_text); }); });
}

}  // namespace web
