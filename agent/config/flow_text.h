// A Node as text again: YAML in flow style on one line, with one text for one meaning. What differs only in layout,
// comments or kind of quotes is equal.
#pragma once

#include <string>
#include <string_view>

#include "config/node.h"

namespace config {

// In double quotes, with escapes where YAML needs them.
std::string quoted(std::string_view text);

// Parses to a Node equal to this one.
std::string flow_text(const Node& node);

}  // namespace config
