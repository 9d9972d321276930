// Is a text UTF-8? Prometheus refuses label values that are not, and YAML is UTF-8 by our rule.
#pragma once

#include <cstddef>
#include <string_view>

namespace config {

// The number of leading bytes that are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
std::size_t valid_utf8_prefix(std::string_view text);

}  // namespace config
