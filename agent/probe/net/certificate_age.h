// How long a peer's certificates are still valid, as tls judges it and every type that meets a certificate on its way.
#pragma once

#include <chrono>
#include <string>

#include "model/outcome.h"
#include "net/tls/peer_chain.h"
#include "net/tls/tls.h"

namespace probe {

// Measures whether the chain was refused, and fails a run that was up when the certificates expire before `min_left`
// has passed. `of` is whose they are, for the text: "mail:25".
// Returns when they expire, in words; "" if that is not known. Pure.
std::string judge_certificate_age(const net::PeerChain& chain, const std::string& of, std::chrono::days min_left,
                                  base::WallTime now, model::Outcome& outcome);

}  // namespace probe
