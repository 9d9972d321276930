// Which of our forms a client wants: Accept and Accept-Encoding with q values (RFC 9110, 12.5).
#pragma once

#include <string_view>

namespace encoding {

enum class Exposition { text, openmetrics };  // text 0.0.4, OpenMetrics 1.0.0

// OpenMetrics only if it is asked for by name and not liked less than text: browsers and curl get text.
Exposition preferred_exposition(std::string_view accept);
bool accepts_gzip(std::string_view accept_encoding);

}  // namespace encoding
