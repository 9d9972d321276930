#include "net/tls/pem.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <memory>

#include "base/file.h"
#include "net/tls/certificate_verifier.h"

namespace net::pem {
namespace {

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(STACK_OF(X509_INFO) * list) const { sk_X509_INFO_pop_free(list, X509_INFO_free); }
};
template <typename T>
using Own = std::unique_ptr<T, Free>;

SSL_CTX* of(void* context) { return static_cast<SSL_CTX*>(context); }

Own<BIO> bio_of(const std::string& text) {
  return Own<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

int no_passphrase(char*, int, int, void*) { return 0; }

Own<X509> next_certificate(const Own<BIO>& text) {
  return Own<X509>(PEM_read_bio_X509_AUX(text.get(), nullptr, no_passphrase, nullptr));
}

// The text was read to its end: OpenSSL leaves an error for that, too.
bool at_end() {
  const unsigned long error = ERR_peek_last_error();
  if (ERR_GET_LIB(error) != ERR_LIB_PEM || ERR_GET_REASON(error) != PEM_R_NO_START_LINE) return false;
  ERR_clear_error();
  return true;
}

}  // namespace

bool add_authorities(void* context, const std::string& text) {
  X509_STORE* store = SSL_CTX_get_cert_store(of(context));
  const Own<STACK_OF(X509_INFO)> found(PEM_X509_INFO_read_bio(bio_of(text).get(), nullptr, no_passphrase, nullptr));
  if (found == nullptr) return false;
  int certificates = 0;
  for (int i = 0; i < sk_X509_INFO_num(found.get()); ++i) {
    const X509_INFO* each = sk_X509_INFO_value(found.get(), i);
    if (each->x509 != nullptr && X509_STORE_add_cert(store, each->x509) != 1) return false;
    if (each->crl != nullptr && X509_STORE_add_crl(store, each->crl) != 1) return false;
    certificates += each->x509 != nullptr ? 1 : 0;
  }
  if (certificates == 0) ERR_raise(ERR_LIB_PEM, PEM_R_NO_START_LINE);
  return certificates > 0;
}

bool name_authorities(void* context, const std::string& text) {
  const Own<BIO> pem = bio_of(text);
  int names = 0;
  for (Own<X509> one = next_certificate(pem); one != nullptr; one = next_certificate(pem), ++names)
    if (SSL_CTX_add_client_CA(of(context), one.get()) != 1) return false;
  return at_end() && names > 0;
}

bool use_certificate(void* context, const std::string& text) {
  const Own<BIO> pem = bio_of(text);
  const Own<X509> leaf = next_certificate(pem);
  if (leaf == nullptr || SSL_CTX_use_certificate(of(context), leaf.get()) != 1) return false;
  SSL_CTX_clear_chain_certs(of(context));
  for (Own<X509> one = next_certificate(pem); one != nullptr; one = next_certificate(pem))
    if (SSL_CTX_add1_chain_cert(of(context), one.get()) != 1) return false;
  return at_end();
}

bool use_private_key(void* context, const std::string& text) {
  const Own<EVP_PKEY> key(PEM_read_bio_PrivateKey(bio_of(text).get(), nullptr, no_passphrase, nullptr));
  return key != nullptr && SSL_CTX_use_PrivateKey(of(context), key.get()) == 1;
}

base::Result<> load(void* context, bool (*into)(void*, const std::string&), const std::string& file,
                    const std::string& what) {
  const auto text = base::read_file(file);
  std::string why;
  if (!text) {
    why = text.error().text;
    if (const std::string before = "cannot read " + file + ": "; why.starts_with(before)) why.erase(0, before.size());
  } else {
    ERR_clear_error();
    if (into(context, *text)) return {};
    why = take_openssl_error();
  }
  return base::fail(base::Kind::io, fmt::format("cannot {} {}: {}", what, file, why));
}

}  // namespace net::pem
