// gzip (RFC 1952) in one piece: pages and metrics are small.
#pragma once

#include <string>
#include <string_view>

namespace encoding {

std::string gzip(std::string_view text);

}  // namespace encoding
