// Numbers as YAML 1.1 writes them and Go's programs read them: 0x1F, 017, 0b11, 1_000, .5, .inf. For files that have to
// be read as Prometheus reads them; keys of our own are plainer (scalar.h).
#pragma once

#include <optional>

#include "config/node.h"

namespace config {

// Nothing for what is no number there: text in quotes, words such as Inf and NaN, what no double can hold.
std::optional<double> yaml_number(const Node& node);

}  // namespace config
