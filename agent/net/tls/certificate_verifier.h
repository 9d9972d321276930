// The one place where a TLS peer's certificates are checked and described, for Stream and for curl alike.
// Used inside net/ and http/ only.
#pragma once

#include <openssl/ssl.h>

#include <optional>
#include <string>

#include "model/outcome.h"
#include "net/tls/peer_chain.h"
#include "net/tls/tls.h"

namespace net {

// Of one connection. Lives as long as its handshake may run.
struct Verification {
  std::string host;   // name or literal that the leaf must be for
  bool skip = false;  // insecure_skip_verify: described, not checked
  bool staple_required = false;
  std::string trouble{};  // TlsContext's: the chain is described, and refused as nothing that the peer can help
  PeerChain chain;
  model::Reason reason = model::Reason::none;  // why the chain was refused: tls_expired, tls_verify, or
                                               // agent_overloaded for a want of the agent's own
  base::Instant checked_at{};                  // when the chain was found good, perhaps by an earlier connection
  bool from_session = false;                   // the chain is that of the session which is offered, until one is shown
  bool wants_certificate = false;  // the peer asked for a client certificate, got none, and has not answered yet
  std::string session_name{};      // under which TlsSessions keeps what the server gives
};

// To be called by OpenSSL in place of its own check (SSL_CTX_set_cert_verify_callback): captures what was sent, then
// checks chain and name. 1 or 0, as OpenSSL wants it.
int verify_peer(X509_STORE_CTX* context, Verification& verification);

// What to say of a peer that ended the connection before it said anything over TLS; "" if it asked for no certificate.
// TLS 1.3 has shaken hands by then, and the alert with the reason is often lost with the connection.
std::string certificate_hint(const Verification& verification);

// For SSL_CTX_set_client_cert_cb: notes that the peer asked, and has none to give.
int note_wanted_certificate(Verification* verification);

// Makes the context check by verify_peer() with the Verification that is attached to each SSL.
void use_attached_verification(SSL_CTX* context);
void attach_verification(SSL* ssl, Verification* verification);
Verification* attached_verification(const SSL* ssl);  // null if there is none

// A time as certificates and OCSP have it; none if it is null or cannot be read.
std::optional<base::WallTime> to_wall_time(const ASN1_TIME* time);

// Why OpenSSL's last call on this thread failed, in its words; empties its queue of errors.
std::string take_openssl_error();

}  // namespace net
