#include "crypto/digest.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <array>
#include <memory>

#include "base/check.h"

namespace crypto {
namespace {

std::string digest(const EVP_MD* kind, std::string_view bytes) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  CHECK(EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(out.data()), &size, kind, nullptr) ==
        1);
  out.resize(size);
  return out;
}

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
};

}  // namespace

std::string sha256(std::string_view bytes) { return digest(EVP_sha256(), bytes); }

std::string hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += {digits[byte >> 4U], digits[byte & 0xfU]};
  }
  return out;
}

base::Result<std::string> md5_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), sum.data(), &size, EVP_md5(), nullptr) != 1)
    return base::fail(base::Kind::unavailable, "OpenSSL does not allow MD5 on this system");
  return hex({reinterpret_cast<const char*>(sum.data()), size});
}

base::Result<std::string> rsa_oaep(const std::string& public_key, std::string_view bytes) {
  const std::unique_ptr<BIO, Free> in(BIO_new_mem_buf(public_key.data(), static_cast<int>(public_key.size())));
  const std::unique_ptr<EVP_PKEY, Free> key(PEM_read_bio_PUBKEY(in.get(), nullptr, nullptr, nullptr));
  if (!key) return base::fail(base::Kind::invalid, "no public key in PEM");
  const std::unique_ptr<EVP_PKEY_CTX, Free> context(EVP_PKEY_CTX_new(key.get(), nullptr));
  std::string out(static_cast<std::size_t>(EVP_PKEY_get_size(key.get())), '\0');
  std::size_t size = out.size();
  if (!context || EVP_PKEY_encrypt_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) != 1 ||
      EVP_PKEY_encrypt(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                       reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()) != 1)
    return base::fail(base::Kind::invalid, "the public key cannot encrypt this");
  out.resize(size);
  return out;
}

}  // namespace crypto
