// Keys and certificates made in the test, and a blocking TLS server for one connection.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "fakes/tcp_peer.h"

namespace fakes {

struct FreeOpenssl {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
template <typename T>
using Owned = std::unique_ptr<T, FreeOpenssl>;

struct Certificate {
  Owned<EVP_PKEY> key{EVP_EC_gen("P-256")};
  Owned<X509> x509;

  void write(const std::string& certificate_file, const std::string& key_file = "") const {
    FILE* file = std::fopen(certificate_file.c_str(), "we");
    PEM_write_X509(file, x509.get());
    std::fclose(file);
    if (key_file.empty()) return;
    file = std::fopen(key_file.c_str(), "we");
    PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
  }
};

struct CertificateRequest {
  std::string common_name{};
  std::string alternative{};  // "DNS:shop.test,IP:127.0.0.1"
  long from_seconds = -86'400;
  long until_seconds = 86'400;
  const Certificate* issuer = nullptr;  // null: self-signed
  bool authority = false;
};

inline Certificate make_certificate(const CertificateRequest& request) {
  Certificate made;
  made.x509.reset(X509_new());
  X509* x = made.x509.get();
  X509_set_version(x, 2);
  static long serial = 0x1000;
  ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(x), request.from_seconds);
  X509_gmtime_adj(X509_getm_notAfter(x), request.until_seconds);
  X509_set_pubkey(x, made.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(request.common_name.c_str()), -1, -1, 0);
  const Certificate& issuer = request.issuer != nullptr ? *request.issuer : made;
  X509_set_issuer_name(x, X509_get_subject_name(issuer.x509.get()));
  const auto extend = [&](int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer.x509.get(), x, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    if (extension == nullptr) std::abort();
    X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
  };
  if (request.authority) extend(NID_basic_constraints, "critical,CA:TRUE");
  if (!request.alternative.empty()) extend(NID_subject_alt_name, request.alternative);
  X509_sign(x, issuer.key.get(), EVP_sha256());
  return made;
}

// What a TLS server presents and asks for.
class TlsServer {
 public:
  enum class ClientCertificate { required, asked_for };
  explicit TlsServer(const Certificate& certificate, const Certificate* client_authority = nullptr,
                     ClientCertificate client_certificate = ClientCertificate::required)
      : context_(SSL_CTX_new(TLS_server_method())) {
    SSL_CTX_use_certificate(context_.get(), certificate.x509.get());
    SSL_CTX_use_PrivateKey(context_.get(), certificate.key.get());
    SSL_CTX_callback_ctrl(context_.get(), SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                          reinterpret_cast<void (*)()>(&TlsServer::keep_name));
    if (client_authority == nullptr) return;
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), client_authority->x509.get());
    const int fail = client_certificate == ClientCertificate::required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER | fail, nullptr);
  }
  // Shakes hands; null if that failed. `name`: which server the client asked for, also where the handshake fails.
  Owned<SSL> accept(const PeerSocket& socket, std::string* name = nullptr) const {
    Owned<SSL> ssl(SSL_new(context_.get()));
    SSL_set_app_data(ssl.get(), name);
    SSL_set_fd(ssl.get(), socket.fd());
    if (SSL_accept(ssl.get()) != 1) ssl.reset();
    return ssl;
  }
  static void send(SSL* ssl, const std::string& bytes) { SSL_write(ssl, bytes.data(), static_cast<int>(bytes.size())); }
  static std::string read_until(SSL* ssl, const std::string& end) {
    std::string got;
    char buffer[4096];
    while (got.find(end) == std::string::npos) {
      const int n = SSL_read(ssl, buffer, sizeof buffer);
      if (n <= 0) break;
      got.append(buffer, static_cast<std::size_t>(n));
    }
    return got;
  }

 private:
  static int keep_name(SSL* ssl, int*, void*) {
    const char* asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (auto* name = static_cast<std::string*>(SSL_get_app_data(ssl))) *name = asked != nullptr ? asked : "";
    return SSL_TLSEXT_ERR_OK;
  }

  Owned<SSL_CTX> context_;
};

}  // namespace fakes
