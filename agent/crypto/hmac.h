// HMAC-SHA256 for signed messages, HMAC-MD5 for CRAM-MD5 (RFC 2195), and SHA-1 for the proof of RFC 6455. Pure; from
// any thread.
#pragma once

#include <string>
#include <string_view>

namespace crypto {

std::string hmac_sha256(std::string_view key, std::string_view message);  // 32 bytes
std::string hmac_md5(std::string_view key,
                     std::string_view message);  // 16 bytes; empty where MD5 is not allowed (FIPS)

std::string sha1(std::string_view message);  // 20 bytes; proves nothing to an enemy

}  // namespace crypto
