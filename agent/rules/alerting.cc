#include "rules/alerting.h"

#include <string_view>
#include <unordered_set>

#include "model/annotations.h"

namespace rules {
namespace {

using Templates = std::vector<std::pair<std::string, templates::Template>>;
using OpenTemplates = std::vector<std::pair<std::string_view, templates::OpenTemplate>>;

OpenTemplates opened(const Templates& closed) {
  OpenTemplates out;
  out.reserve(closed.size());
  for (const auto& [name, text] : closed) out.emplace_back(name, text.open());
  return out;
}

}  // namespace

base::Result<std::vector<FoundAlert>> found_alerts(const CompiledRule& rule, const promql::Vector& samples,
                                                   const model::Labels& external_labels,
                                                   const templates::TemplateContext& context) {
  std::vector<FoundAlert> out;
  if (samples.empty()) return out;
  std::unordered_set<model::Labels, model::LabelsHash> seen;
  const OpenTemplates label_templates = opened(rule.labels), annotations = opened(rule.annotations);
  for (const promql::VectorSample& sample : samples) {
    const templates::TemplateData data{sample.labels, sample.sample.v, external_labels};
    enum class Empty { drop, keep };
    const auto expand = [&](const OpenTemplates& templates, model::Labels onto, Empty empty) {
      std::vector<std::string> texts;
      texts.reserve(templates.size());
      std::vector<model::Label> labels(onto.begin(), onto.end());
      for (const auto& [name, text] : templates) {
        texts.push_back(text.expand(data, context));
        labels.push_back({name, empty == Empty::keep ? model::kept_text(texts.back()) : texts.back()});
      }
      return model::Labels(std::move(labels));
    };
    model::Labels labels =
        expand(label_templates, sample.labels.without_metric_name(), Empty::drop).with("alertname", rule.source.alert);
    if (!seen.insert(labels).second)
      return base::fail(base::Kind::invalid,
                        "vector contains metrics with the same labelset after applying alert labels");
    out.push_back({std::move(labels), expand(annotations, {}, Empty::keep), sample.sample.v});
  }
  return out;
}

promql::Vector alert_series(const AlertState& alerts, std::int64_t t) {
  promql::Vector out;
  for (const auto& [labels, alert] : alerts.alerts()) {
    if (alert.state == model::AlertState::inactive) continue;
    out.push_back(
        {labels.merged({{model::kMetricName, "ALERTS"}, {"alertstate", model::to_string(alert.state)}}), {t, 1}});
    const auto active = std::chrono::floor<std::chrono::seconds>(alert.active_at).time_since_epoch().count();
    out.push_back({labels.with(model::kMetricName, "ALERTS_FOR_STATE"), {t, static_cast<double>(active)}});
  }
  return out;
}

}  // namespace rules
