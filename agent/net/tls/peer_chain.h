// What a TLS peer showed of itself. Filled also when verification fails, so that expiry is always known.
#pragma once

#include <optional>
#include <string>

#include "base/time.h"

namespace net {

// A stapled OCSP response: what the issuer says of the leaf. Filled as far as it could be read.
struct OcspStaple {
  bool stapled = false;
  std::optional<int> status;  // 0 good, 1 revoked, 2 unknown (V_OCSP_CERTSTATUS_*)
  std::optional<base::WallTime> produced_at, this_update, next_update, revoked_at;
};

struct PeerChain {
  std::string version;  // "TLS 1.3"
  std::string cipher;
  std::optional<base::WallTime> earliest_expiry;  // over all certificates that were sent
  std::optional<base::WallTime> leaf_expiry;
  std::optional<base::WallTime> last_chain_expiry;  // of the verified chain; none if verification failed or was skipped
  std::string subject, issuer, subject_alternative, serial, fingerprint_sha256;  // of the leaf
  std::string verify_error;                                                      // "" if it verified
  std::optional<OcspStaple> staple;  // none if it was not asked for, or the chain was refused before it came
};

}  // namespace net
