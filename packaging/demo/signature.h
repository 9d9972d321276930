// Checks the signature of a webhook as Standard Webhooks writes it: HMAC-SHA256 over "id.timestamp.body".
// Written out here, so that the receiver of the demo shares no code with the sender that it judges.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace shop {

using Digest = std::array<std::uint8_t, 32>;

Digest sha256(std::string_view bytes);                               // FIPS 180-4
Digest hmac_sha256(std::string_view key, std::string_view message);  // RFC 2104
std::string to_base64(std::string_view bytes);
std::string from_base64(std::string_view text);  // stops at the first character that does not belong

// `secret` is "whsec_" and the key in base64, or the key itself. `signatures` is the header: one or more "v1,BASE64"
// with blanks between them.
bool signature_matches(std::string_view secret, std::string_view id, std::string_view timestamp, std::string_view body,
                       std::string_view signatures);

}  // namespace shop
