// Bytes in URLs and forms, written %41 (RFC 3986, 2.1; application/x-www-form-urlencoded). Pure; from every thread.
#pragma once

#include <string>
#include <string_view>

namespace base {

// All bytes but letters, digits and - . _ ~ are written out: fit for any part of a URL, as one value.
std::string percent_encode(std::string_view text);
// The same for a field of a form or a query, where a blank is "+".
std::string form_encode(std::string_view text);

// An escape that is broken stays as it is.
std::string percent_decode(std::string_view text);
std::string form_decode(std::string_view text);

}  // namespace base
