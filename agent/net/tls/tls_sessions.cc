#include "net/tls/tls_sessions.h"

#include <utility>

#include "base/check.h"

namespace net {
namespace {

constexpr std::size_t kMost = 1000;

int slot() {
  static const int index = SSL_CTX_get_ex_new_index(
      0, nullptr, nullptr, nullptr,
      [](void*, void* sessions, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<TlsSessions*>(sessions); });
  return index;
}

}  // namespace

TlsSessions* TlsSessions::of(const SSL* ssl) {
  return static_cast<TlsSessions*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), slot()));
}

void TlsSessions::keep_for(SSL_CTX* context) {
  CHECK(SSL_CTX_set_ex_data(context, slot(), new TlsSessions) == 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, [](SSL* ssl, SSL_SESSION* session) {
    const Verification* verification = attached_verification(ssl);
    if (verification == nullptr || verification->session_name.empty() || verification->checked_at == base::Instant{} ||
        verification->reason != model::Reason::none)
      return 0;
    of(ssl)->keep(session, *verification);
    return 1;  // it is ours now
  });
}

bool TlsSessions::fresh(const Kept& kept) {
  if (base::Clock::now() - kept.checked_at >= kFullHandshakeEvery) return false;
  const auto wall = std::chrono::floor<base::Millis>(std::chrono::system_clock::now());
  return !kept.chain.earliest_expiry || *kept.chain.earliest_expiry > wall;
}

void TlsSessions::offer(SSL* ssl, Verification& verification, std::string name) {
  verification.session_name = std::move(name);
  const auto found = sessions_.find(verification.session_name);
  if (found == sessions_.end()) return;
  // A ticket is for one use (RFC 8446, C.4); the server sends the next one.
  const Kept kept = std::move(found->second);
  sessions_.erase(found);
  if (!fresh(kept) || SSL_set_session(ssl, kept.session.get()) != 1) return;
  verification.chain = kept.chain;
  verification.checked_at = kept.checked_at;
  verification.from_session = true;
}

void TlsSessions::leave(SSL* ssl) { SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); }

void TlsSessions::keep(SSL_SESSION* session, const Verification& verification) {
  if (sessions_.size() >= kMost) sessions_.clear();
  sessions_.insert_or_assign(verification.session_name, Kept{std::unique_ptr<SSL_SESSION, FreeSession>(session),
                                                             verification.chain, verification.checked_at});
}

}  // namespace net
