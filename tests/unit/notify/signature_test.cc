#include "notify/signature.h"

#include <doctest/doctest.h>

#include "crypto/hmac.h"

namespace {

std::string hex(const std::string& bytes) {
  std::string out;
  for (const char c : bytes) {
    constexpr const char* kDigits = "0123456789abcdef";
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

}  // namespace

TEST_CASE("HMAC-SHA256 gives the values of RFC 4231") {
  CHECK(hex(crypto::hmac_sha256(std::string(20, '\x0b'), "Hi There")) ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(hex(crypto::hmac_sha256("Jefe", "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_CASE("a message is signed as the example of Standard Webhooks, once for each secret") {
  // Computed with Python's hmac module, and the same as in the specification's own libraries.
  const auto key = notify::parse_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  REQUIRE(key.has_value());
  const base::WallTime at = base::wall_from_ms(1'614'265'330'999);
  const char* const id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
  const char* const body = "{\"test\": 2432232314}";
  CHECK(notify::sign({*key}, id, at, body) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  const auto raw = notify::parse_secret("correct horse");
  REQUIRE(raw.has_value());
  CHECK(notify::sign({*key, *raw}, id, at, body) ==
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,ZquVke8vjahY5FUylxSXNumFQQGbjldZLz39AEzazrc=");
  CHECK(notify::sign({}, id, at, body) == "");
}

TEST_CASE("a secret that cannot be one is refused without showing it") {
  CHECK(notify::parse_secret("").error().text == "the secret is empty");
  CHECK(notify::parse_secret("whsec_hunter2").error().text ==
        "after whsec_ there must be base64; write the secret as it was given to you");
}
