#include "probe/net/certificate_age.h"

#include "base/time.h"
#include "net/tls/peer_chain.h"

namespace probe {

using model::Outcome;
using model::Reason;

namespace {

// "expires in 12 days, 2026-12-05T00:00:00Z" or "expired 3 days ago, …".
std::string in_words(base::WallTime expiry, base::WallTime now) {
  const auto days = std::chrono::floor<std::chrono::days>(expiry < now ? now - expiry : expiry - now).count();
  const std::string count = std::to_string(days) + (days == 1 ? " day" : " days");
  return (expiry < now ? "expired " + count + " ago, " : "expires in " + count + ", ") + base::format_iso8601(expiry);
}

}  // namespace

// The chain that was verified counts: servers send expired certificates that no client needs. Without one, whatever
// was sent.
std::string judge_certificate_age(const net::PeerChain& chain, const std::string& of, std::chrono::days min_left,
                                  base::WallTime now, Outcome& outcome) {
  const bool refused = !chain.verify_error.empty();
  outcome.measurements.push_back({"probe_tls_certificate_refused", refused ? 1.0 : 0.0, {}});
  const auto expiry = chain.last_chain_expiry ? chain.last_chain_expiry : chain.earliest_expiry;
  if (!expiry) return "";
  std::string words = "certificate of " + of + " " + in_words(*expiry, now);
  const bool about_tls = outcome.reason == Reason::tls_verify || outcome.reason == Reason::tls_expired ||
                         outcome.reason == Reason::tls_handshake;
  if (!outcome.up) {
    if (about_tls) outcome.text += "; the " + words;
  } else if (*expiry < now + min_left) {
    outcome.up = false;
    outcome.reason = Reason::tls_expired;
    outcome.text = words + (*expiry < now ? "" : "; min_days is " + std::to_string(min_left.count()));
  }
  return words;
}

}  // namespace probe
