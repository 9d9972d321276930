// One evaluation of an alerting rule: from samples to alerts, and from alerts to the series ALERTS and
// ALERTS_FOR_STATE.
#pragma once

#include <string_view>
#include <vector>

#include "promql/value.h"
#include "rules/alert_state.h"
#include "rules/compiled.h"

namespace rules {

// Labels and annotations expanded. Two samples that end in the same alert are an error.
base::Result<std::vector<FoundAlert>> found_alerts(const CompiledRule& rule, const promql::Vector& samples,
                                                   const model::Labels& external_labels,
                                                   const templates::TemplateContext& context);

// The two series of an alert that is pending or firing.
promql::Vector alert_series(const AlertState& alerts, std::int64_t t);

}  // namespace rules
