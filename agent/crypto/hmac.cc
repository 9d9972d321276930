#include "crypto/hmac.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/check.h"

namespace crypto {

std::string hmac_sha256(std::string_view key, std::string_view message) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  const auto* const made = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                                reinterpret_cast<const unsigned char*>(message.data()), message.size(),
                                reinterpret_cast<unsigned char*>(out.data()), &size);
  CHECK(made != nullptr);
  out.resize(size);
  return out;
}

std::string sha1(std::string_view message) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  CHECK(EVP_Digest(message.data(), message.size(), reinterpret_cast<unsigned char*>(out.data()), &size, EVP_sha1(),
                   nullptr) == 1);
  out.resize(size);
  return out;
}

}  // namespace crypto
