// HMAC-SHA256 and base64, for signed messages. Pure; from any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace loop {

std::string hmac_sha256(std::string_view key, std::string_view message);  // 32 bytes

std::string base64_encode(std::string_view bytes);  // standard alphabet, padded
base::Result<std::string> base64_decode(std::string_view text);

}  // namespace loop
