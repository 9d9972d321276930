#include "notify/signature.h"

#include <fmt/format.h>

#include "base/base64.h"
#include "crypto/hmac.h"

namespace notify {

base::Result<base::Secret> parse_secret(std::string_view text) {
  constexpr std::string_view kPrefix = "whsec_";
  if (text.empty()) return base::fail(base::Kind::invalid, "the secret is empty");
  if (!text.starts_with(kPrefix)) return base::Secret(std::string(text));
  auto key = base::base64_decode(text.substr(kPrefix.size()));
  if (!key || key->empty())
    return base::fail(base::Kind::invalid,
                      "after whsec_ there must be base64; write the secret as it was given to you");
  return base::Secret(std::move(*key));
}

std::string sign(const std::vector<base::Secret>& keys, std::string_view id, base::WallTime at, std::string_view body) {
  const std::string content = fmt::format("{}.{}.{}", id, base::to_ms(at) / 1000, body);
  std::string out;
  for (const base::Secret& key : keys) {
    if (!out.empty()) out += ' ';
    out += "v1," + base::base64_encode(crypto::hmac_sha256(key.reveal(), content));
  }
  return out;
}

}  // namespace notify
