#include "http/curl_tls.h"

#include <string>
#include <utility>

#include "base/check.h"
#include "net/tls/ocsp_staple.h"

namespace http {
namespace {

// What one connection's SSL_CTX of curl needs from us, owned by that context: a kept connection outlives the request
// that made it.
struct Connection {
  std::shared_ptr<net::Verification> verification;
  std::string server_name;  // instead of the URL's host; "" if that is right
};

int connection_slot() {
  static const int index = SSL_CTX_get_ex_new_index(
      0, nullptr, nullptr, nullptr,
      [](void*, void* owned, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<Connection*>(owned); });
  return index;
}

const Connection* connection_of(const SSL_CTX* context) {
  return static_cast<const Connection*>(SSL_CTX_get_ex_data(context, connection_slot()));
}

}  // namespace

void lend_tls(const net::TlsContext& tls, SSL_CTX* curls, std::string server_name,
              std::shared_ptr<net::Verification> verification_of_peer) {
  auto* shared = static_cast<SSL_CTX*>(tls.native());
  if (verification_of_peer != nullptr) verification_of_peer->trouble = tls.trouble();
  Connection connection{std::move(verification_of_peer), std::move(server_name)};
  SSL_CTX_set1_cert_store(curls, SSL_CTX_get_cert_store(shared));
  SSL_CTX_set_min_proto_version(curls, static_cast<int>(SSL_CTX_get_min_proto_version(shared)));
  SSL_CTX_set_max_proto_version(curls, static_cast<int>(SSL_CTX_get_max_proto_version(shared)));
  SSL_CTX_set_security_level(curls, SSL_CTX_get_security_level(shared));
  if (X509* certificate = SSL_CTX_get0_certificate(shared); certificate != nullptr) {
    SSL_CTX_use_certificate(curls, certificate);
    SSL_CTX_use_PrivateKey(curls, SSL_CTX_get0_privatekey(shared));
    STACK_OF(X509)* chain = nullptr;
    if (SSL_CTX_get0_chain_certs(shared, &chain) == 1 && chain != nullptr) SSL_CTX_set1_chain(curls, chain);
  }
  const bool other_name = !connection.server_name.empty();
  auto owned = std::make_unique<Connection>(std::move(connection));
  net::Verification* verification = owned->verification.get();
  CHECK(SSL_CTX_set_ex_data(curls, connection_slot(), owned.release()) == 1);
  SSL_CTX_set_verify(curls, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(
      curls,
      [](X509_STORE_CTX* store, void* of) { return net::verify_peer(store, *static_cast<net::Verification*>(of)); },
      verification);
  SSL_CTX_set_client_cert_cb(curls, [](SSL* ssl, X509**, EVP_PKEY**) {
    const Connection* of = connection_of(SSL_get_SSL_CTX(ssl));
    return net::note_wanted_certificate(of != nullptr ? of->verification.get() : nullptr);
  });
  if (tls.settings().require_ocsp_staple || tls.settings().ask_ocsp_staple) net::ask_for_staple(curls, verification);
  if (!other_name) return;
  // The last moment before the ClientHello is written, after curl has set the URL's host.
  SSL_CTX_set_info_callback(curls, [](const SSL* ssl, int where, int) {
    if ((where & SSL_CB_HANDSHAKE_START) == 0) return;
    const Connection* of = connection_of(SSL_get_SSL_CTX(ssl));
    SSL_ctrl(const_cast<SSL*>(ssl), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             const_cast<char*>(of->server_name.c_str()));
  });
}

std::shared_ptr<net::Verification> verification_of(const SSL* ssl) {
  const Connection* connection = connection_of(SSL_get_SSL_CTX(ssl));
  return connection != nullptr ? connection->verification : nullptr;
}

}  // namespace http
