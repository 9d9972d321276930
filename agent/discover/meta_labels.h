// Labels and addresses of targets as catalogues make them. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "encoding/json_value.h"
#include "model/labels.h"

namespace discover {

using LabelMap = std::map<std::string, std::string>;

// Without those that have no value: for Prometheus they are not there.
model::Labels as_labels(const LabelMap& all);
// Each member of `object` that is a text, as PREFIXname; the name made one of a label.
void add_members(const encoding::json& object, const std::string& prefix, LabelMap& into);

}  // namespace discover
