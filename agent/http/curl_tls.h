// The TLS of curl's connections. Used inside http/ only.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "net/tls/certificate_verifier.h"
#include "net/tls/tls.h"

namespace http {

// curl makes an SSL_CTX of its own for each connection. It gets the store, the client certificate and the versions of
// the shared one by reference, and our verification. `server_name`: what to call the peer by in place of the URL's
// host; "": that.
void lend_tls(const net::TlsContext& tls, SSL_CTX* curls, std::string server_name,
              std::shared_ptr<net::Verification> verification);

// What lend_tls() was given for this connection; null if it was not.
std::shared_ptr<net::Verification> verification_of(const SSL* ssl);

}  // namespace http
