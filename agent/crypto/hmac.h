// HMAC-SHA256 and base64, for signed messages, and SHA-1 for the proof of RFC 6455. Pure; from any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace crypto {

std::string hmac_sha256(std::string_view key, std::string_view message);  // 32 bytes

std::string sha1(std::string_view message);  // 20 bytes; proves nothing to an enemy

std::string base64_encode(std::string_view bytes);  // standard alphabet, padded
base::Result<std::string> base64_decode(std::string_view text);

}  // namespace crypto
