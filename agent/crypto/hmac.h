// HMAC-SHA256 for signed messages, and SHA-1 for the proof of RFC 6455. Pure; from any thread.
#pragma once

#include <string>
#include <string_view>

namespace crypto {

std::string hmac_sha256(std::string_view key, std::string_view message);  // 32 bytes

std::string sha1(std::string_view message);  // 20 bytes; proves nothing to an enemy

}  // namespace crypto
