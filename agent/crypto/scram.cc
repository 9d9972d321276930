#include "crypto/scram.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <utility>

#include "base/base64.h"
#include "base/check.h"
#include "base/number.h"
#include "crypto/digest.h"
#include "crypto/hmac.h"
#include "crypto/saslprep.h"

namespace crypto {
namespace {

constexpr int kMostRounds = 100'000;  // 50 ms

// The value of `key` in "r=…,s=…,i=…"; "" if it is not there.
std::string_view value_of(std::string_view message, char key) {
  while (!message.empty()) {
    const std::string_view part = message.substr(0, message.find(','));
    if (part.size() > 2 && part[0] == key && part[1] == '=') return part.substr(2);
    message.remove_prefix(part.size() < message.size() ? part.size() + 1 : part.size());
  }
  return "";
}

}  // namespace

ScramClient::ScramClient(std::string_view user, std::string_view password, std::string nonce)
    : bare_("n=" + std::string(user) + ",r=" + nonce), password_(saslprep(password)), nonce_(std::move(nonce)) {}

std::string ScramClient::first() const { return "n,," + bare_; }

base::Result<std::string> ScramClient::final(std::string_view server_first) {
  const std::string_view nonce = value_of(server_first, 'r');
  const auto salt = base::base64_decode(value_of(server_first, 's'));
  const auto rounds = base::read_number<int>(value_of(server_first, 'i'));
  if (!nonce.starts_with(nonce_) || nonce.size() == nonce_.size() || !salt || !rounds)
    return base::fail(base::Kind::protocol, "the server's SCRAM message cannot be understood");
  if (*rounds < 1 || *rounds > kMostRounds)
    return base::fail(base::Kind::protocol, "the server asks for " + std::to_string(*rounds) + " rounds of SCRAM");

  std::string salted(SHA256_DIGEST_LENGTH, '\0');
  const int made =
      PKCS5_PBKDF2_HMAC(password_.data(), static_cast<int>(password_.size()),
                        reinterpret_cast<const unsigned char*>(salt->data()), static_cast<int>(salt->size()), *rounds,
                        EVP_sha256(), static_cast<int>(salted.size()), reinterpret_cast<unsigned char*>(salted.data()));
  CHECK(made == 1);
  const std::string without_proof = "c=biws,r=" + std::string(nonce);
  const std::string all = bare_ + "," + std::string(server_first) + "," + without_proof;
  std::string proof = hmac_sha256(salted, "Client Key");
  const std::string signature = hmac_sha256(sha256(proof), all);
  for (std::size_t i = 0; i < proof.size(); ++i) proof[i] = static_cast<char>(proof[i] ^ signature[i]);
  expected_ = base::base64_encode(hmac_sha256(hmac_sha256(salted, "Server Key"), all));
  return without_proof + ",p=" + base::base64_encode(proof);
}

bool ScramClient::proves(std::string_view server_final) const {
  return !expected_.empty() && value_of(server_final, 'v') == expected_;
}

}  // namespace crypto
