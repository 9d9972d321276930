// Text into HTML, safely: everything that is not a literal of ours goes through escape().
#pragma once

#include <string>
#include <string_view>

namespace web {

// For element content and for attribute values between double quotes.
std::string escape(std::string_view text);

}  // namespace web
