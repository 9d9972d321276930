// TLS sessions for later connections to the same server, for tls_config.session_reuse. A resumed handshake costs a
// third of a full one and shows no certificates: what the last full one showed is said again, and every five minutes,
// or when one of those certificates has expired, there is a full one. They belong to one SSL_CTX and go with it, after
// the last connection that was made of it: what was verified under other authorities is never resumed. Loop thread;
// used inside net/ only.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "base/time.h"
#include "net/tls/certificate_verifier.h"

namespace net {

class TlsSessions {
 public:
  static constexpr std::chrono::minutes kFullHandshakeEvery{5};

  // From now on connections of the context keep their sessions.
  static void keep_for(SSL_CTX* context);
  static TlsSessions* of(const SSL* ssl);  // of its context; null if that keeps none
  TlsSessions(const TlsSessions&) = delete;
  TlsSessions& operator=(const TlsSessions&) = delete;

  // Before the handshake: `verification`, attached to `ssl`, gets a name, and the chain of the session if there is one.
  void offer(SSL* ssl, Verification& verification, std::string name);
  // Before SSL_free(): OpenSSL forgets the session of a connection that was cut, and all of ours are.
  static void leave(SSL* ssl);

 private:
  TlsSessions() = default;

  struct FreeSession {
    void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
  };
  struct Kept {
    std::unique_ptr<SSL_SESSION, FreeSession> session;
    PeerChain chain;
    base::Instant checked_at{};
  };

  static bool fresh(const Kept& kept);
  void keep(SSL_SESSION* session, const Verification& verification);

  std::map<std::string, Kept> sessions_;
};

}  // namespace net
