// Passwords as SCRAM hashes them (SASLprep, RFC 4013): the same characters, however they were typed, are the same
// bytes.
#pragma once

#include <string>
#include <string_view>

namespace crypto {

// What SASLprep forbids (control characters, mixed directions, code points that Unicode 3.2 does not have), and what is
// no UTF-8, stays as it is: so PostgreSQL stores it. Pure; from any thread.
std::string saslprep(std::string_view password);

}  // namespace crypto
