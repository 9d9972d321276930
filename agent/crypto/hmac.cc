#include "crypto/hmac.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/check.h"

namespace crypto {

namespace {

// "" where this system's OpenSSL does not allow the digest.
std::string hmac(const EVP_MD* digest, std::string_view key, std::string_view message) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  const auto* const made =
      HMAC(digest, key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(message.data()),
           message.size(), reinterpret_cast<unsigned char*>(out.data()), &size);
  out.resize(made == nullptr ? 0 : size);
  return out;
}

}  // namespace

std::string hmac_sha256(std::string_view key, std::string_view message) {
  std::string out = hmac(EVP_sha256(), key, message);
  CHECK(!out.empty());
  return out;
}

std::string hmac_md5(std::string_view key, std::string_view message) { return hmac(EVP_md5(), key, message); }

std::string sha1(std::string_view message) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  CHECK(EVP_Digest(message.data(), message.size(), reinterpret_cast<unsigned char*>(out.data()), &size, EVP_sha1(),
                   nullptr) == 1);
  out.resize(size);
  return out;
}

}  // namespace crypto
