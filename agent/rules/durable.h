// Alerts as durable records: one per alert, keyed by file, group, rule and labels.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/alert.h"
#include "rules/compiled.h"

namespace rules {

// The key of a rule's alerts without the labels. `position` tells rules of one group apart that share name and labels.
std::string record_prefix(const CompiledGroup& group, std::size_t position);
std::string record_key(std::string_view prefix, const model::Labels& alert);

std::string to_record(const model::Alert& alert);
std::optional<model::Alert> from_record(std::string_view text);  // nothing if it is not one of ours

}  // namespace rules
