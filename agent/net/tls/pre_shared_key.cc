#include "net/tls/pre_shared_key.h"

#include <openssl/crypto.h>

#include <cstring>
#include <memory>

#include "base/ascii.h"
#include "base/check.h"

namespace net {
namespace {

constexpr std::size_t kShortest = 16, kLongest = 256;  // bytes
constexpr std::size_t kLongestIdentity = 128;

struct PreSharedKey {
  std::string identity, key;
  ~PreSharedKey() { OPENSSL_cleanse(key.data(), key.size()); }
};

int place() {
  static const int index = SSL_CTX_get_ex_new_index(
      0, nullptr, nullptr, nullptr,
      [](void*, void* held, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<PreSharedKey*>(held); });
  return index;
}

unsigned int offer(SSL* ssl, const char* /*hint*/, char* identity, unsigned int identity_room, unsigned char* key,
                   unsigned int key_room) {
  const auto* own = static_cast<const PreSharedKey*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), place()));
  if (own == nullptr || own->identity.size() >= identity_room || own->key.size() > key_room) return 0;
  std::memcpy(identity, own->identity.c_str(), own->identity.size() + 1);
  std::memcpy(key, own->key.data(), own->key.size());
  return static_cast<unsigned int>(own->key.size());
}

// "" if these are no hexadecimal digits.
std::string bytes_of(std::string_view digits) {
  std::string out;
  if (digits.size() % 2 != 0) return out;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const int high = base::hex_digit(digits[i]), low = base::hex_digit(digits[i + 1]);
    if (high < 0 || low < 0) return "";
    out += static_cast<char>(high * 16 + low);
  }
  return out;
}

}  // namespace

base::Result<> use_pre_shared_key(SSL_CTX* context, const std::string& identity, const base::Secret& key) {
  auto own = std::make_unique<PreSharedKey>();
  own->identity = identity;
  own->key = bytes_of(key.reveal());
  if (own->key.size() < kShortest || own->key.size() > kLongest)
    return base::fail(base::Kind::invalid, "the pre-shared key must be 32 to 512 hexadecimal digits");
  if (identity.empty() || identity.size() > kLongestIdentity || identity.find('\0') != std::string::npos)
    return base::fail(base::Kind::invalid, "the identity of a pre-shared key must have 1 to 128 bytes");
  SSL_CTX_set_psk_client_callback(context, offer);
  CHECK(SSL_CTX_set_cipher_list(context, "kECDHEPSK+AES:kPSK+AES") == 1);
  CHECK(SSL_CTX_set_ex_data(context, place(), own.release()) == 1);
  return {};
}

}  // namespace net
