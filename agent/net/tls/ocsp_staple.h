// OCSP stapling: what the certificate's issuer says of it, brought along by the server (RFC 6066, 8; RFC 6960).
// Used inside net/ and http/ only.
#pragma once

#include <openssl/ssl.h>

#include "net/tls/certificate_verifier.h"

namespace net {

// The context asks its peers for a response. Each connection's must reach judge_staple() then: by its attached
// Verification, or by `verification` if there is one for the whole context.
void ask_for_staple(SSL_CTX* context, Verification* verification);

// Once the certificates were verified: describes the response in verification.chain, and refuses the peer where one is
// required and this is none, or not for this certificate, not good, not fresh, or signed by another authority.
// 1 or 0, as OpenSSL wants it.
int judge_staple(SSL* ssl, Verification& verification);

}  // namespace net
