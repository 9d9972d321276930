// One evaluation of a recording rule: the result under its new name, with the rule's labels over the sample's.
#pragma once

#include "base/result.h"
#include "promql/value.h"
#include "rules/compiled.h"

namespace rules {

// An empty label value of the rule takes the label away. Two series with the same labels are an error.
base::Result<promql::Vector> recorded(const CompiledRule& rule, promql::Vector samples, std::int64_t t);

}  // namespace rules
