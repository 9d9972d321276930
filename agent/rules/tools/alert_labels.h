// Which labels the alerts of rules can have, before one of them fired: for the question whether what waits for an alert
// (a plan's `when`, a route) waits for ever.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "promql/parser.h"
#include "rules/manager.h"

namespace rules {

// False if no element of the expression's result can have the label.
bool may_have_label(const promql::Expr& expr, std::string_view label);

// Labels with their values; alertname is one of them. "" if some rule can make an alert with all of these; else why
// none can, with the rule or the name that is near.
using WantedLabels = std::vector<std::pair<std::string, std::string>>;
std::string why_no_alert(const std::vector<CompiledGroupPtr>& groups, const WantedLabels& wanted);

}  // namespace rules
