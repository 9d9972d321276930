// Signatures as Standard Webhooks has them: HMAC-SHA256 over "id.timestamp.body", base64, with the version "v1,".
// Several secrets give several signatures with a blank between, so that a secret can be exchanged without a gap.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"

namespace notify {

// "whsec_" and base64, or any other text, whose bytes are then the key. Returns the key's bytes.
base::Result<base::Secret> parse_secret(std::string_view text);
// The value of webhook-signature; "" without a key.
std::string sign(const std::vector<base::Secret>& keys, std::string_view id, base::WallTime at, std::string_view body);

}  // namespace notify
