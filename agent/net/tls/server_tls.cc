#include "net/tls/server_tls.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>

#include "base/check.h"
#include "net/tls/certificate_verifier.h"

namespace net {
namespace {

constexpr std::array<unsigned char, 6> kSessionContext{'f', 'e', 't', 't', 'l', 'e'};

tl::unexpected<base::Error> cannot(std::string_view what, const std::string& file) {
  return base::fail(base::Kind::invalid, fmt::format("cannot {} {}: {}", what, file, take_openssl_error()));
}

base::Result<> configure(SSL_CTX* context, const ServerTlsSettings& settings) {
  ERR_clear_error();
  SSL_CTX_set_min_proto_version(context, settings.require_tls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(context,
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // A thousand connections that say nothing hold no buffers.
  SSL_CTX_set_mode(context,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  // Clients keep their sessions themselves, as tickets.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(context, kSessionContext.data(), kSessionContext.size());
  if (SSL_CTX_use_certificate_chain_file(context, settings.cert_file.c_str()) != 1)
    return cannot("load the certificate", settings.cert_file);
  if (SSL_CTX_use_PrivateKey_file(context, settings.key_file.c_str(), SSL_FILETYPE_PEM) != 1)
    return cannot("load the private key", settings.key_file);
  if (settings.client == ServerTlsSettings::Client::not_asked) return {};
  // Only whom this file names, not whom the system trusts.
  if (SSL_CTX_load_verify_locations(context, settings.client_ca_file.c_str(), nullptr) != 1)
    return cannot("load the clients' certificate authorities of", settings.client_ca_file);
  STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(settings.client_ca_file.c_str());
  if (names == nullptr) return cannot("load the clients' certificate authorities of", settings.client_ca_file);
  SSL_CTX_set_client_CA_list(context, names);  // owns them
  const bool required = settings.client == ServerTlsSettings::Client::required;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  return {};
}

}  // namespace

base::Result<std::shared_ptr<const ServerTls>> ServerTls::read(const ServerTlsSettings& settings) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  CHECK(context != nullptr);
  std::shared_ptr<const ServerTls> tls(new ServerTls(context));
  TRY_VOID(configure(context, settings));
  return tls;
}

ServerTls::~ServerTls() { SSL_CTX_free(static_cast<SSL_CTX*>(context_)); }

}  // namespace net
