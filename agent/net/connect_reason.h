// What a look-up or a connect(2) that failed means for the service that was to be reached, or for the agent: decided
// here for streams, pings and the HTTP client. Used inside net/ and http/ only.
#pragma once

#include <string>

#include "base/result.h"
#include "model/outcome.h"
#include "net/stream.h"

namespace net {

// An errno of connect(2), or of what follows it. agent_overloaded: the agent lacks something, or may not; whatever
// that is, it says nothing about the service.
model::Reason reason_of_connect(int code);
model::Reason reason_of_lookup(const base::Error& error);

// "connect to WHERE: …", with what to do about it where the agent itself is in the way. `unix_path`: "" for TCP.
// `address`: where TCP went to, if that is known.
StreamFailure connect_failure(int code, const std::string& where, const std::string& unix_path,
                              const Address* address = nullptr);
// socket(2) asks nothing of a peer, and bind(2) none either: what they refuse is the agent's own.
StreamFailure own_failure(int code, const std::string& what);

}  // namespace net
