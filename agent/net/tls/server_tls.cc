#include "net/tls/server_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>

#include "base/check.h"
#include "net/tls/pem.h"

namespace net {
namespace {

constexpr std::array<unsigned char, 6> kSessionContext{'f', 'e', 't', 't', 'l', 'e'};

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
  TRY_VOID(pem::load(context, pem::use_certificate, settings.cert_file, "load the certificate"));
  TRY_VOID(pem::load(context, pem::use_private_key, settings.key_file, "load the private key"));
  if (settings.client == ServerTlsSettings::Client::not_asked) return {};
  // Only whom this file names, not whom the system trusts.
  const std::string what = "load the clients' certificate authorities of";
  TRY_VOID(pem::load(context, pem::add_authorities, settings.client_ca_file, what));
  TRY_VOID(pem::load(context, pem::name_authorities, settings.client_ca_file, what));
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
