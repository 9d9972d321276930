// Digests and public-key encryption that logins to databases need. Pure; from any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace crypto {

std::string sha256(std::string_view bytes);  // 32 bytes
// Two lower-case hexadecimal digits for each byte.
std::string hex(std::string_view bytes);
// In 32 hexadecimal digits; proves nothing to an enemy. Errors: this system's OpenSSL does not allow it (FIPS).
base::Result<std::string> md5_hex(std::string_view bytes);

// RSA with OAEP padding (SHA-1), for a public key in PEM. Errors: it is no such key.
base::Result<std::string> rsa_oaep(const std::string& public_key, std::string_view bytes);

}  // namespace crypto
