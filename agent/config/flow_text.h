// A Node as text again: YAML in flow style on one line, with one text for one meaning. What differs only in layout,
// comments or kind of quotes is equal.
#pragma once

#include <string>
#include <string_view>

#include "config/node.h"

namespace config {

// In double quotes, with escapes where YAML needs them. Not `quoted`: called with a std::string that is std::quoted,
// where a header of the library has <iomanip>, as with Debian 13's.
std::string quoted_text(std::string_view text);

// Whether YAML wants a '?' in front of a key as it is written: it has more than 1,024 characters.
bool is_long_key(std::string_view key);

// Parses to a Node equal to this one.
std::string flow_text(const Node& node);

}  // namespace config
