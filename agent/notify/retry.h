// When a message that did not get through is tried again. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "http/http_client.h"
#include "notify/notifier.h"
#include "os/subprocess.h"

namespace notify {

// The wait before attempt `failures` + 1: 0, 1, 2, 5, 10, 30, 60 s, then doubling up to 5 min; spread by ± 20 % from
// the second on, so that a fleet does not come back in step. `chance` is in [0, 1). A longer Retry-After is honoured,
// up to an hour.
base::Duration retry_delay(int failures, double chance, base::Millis retry_after);

// What an HTTP answer means for a message: 2xx has taken it; a 4xx but 408, 425 and 429 has refused it; without a
// connection the receiver has not seen it; of everything else it is not known.
Sent judge(const http::HttpResponse& response, base::WallTime now);

// The same where it may not have come so far: an error means that there was nothing to log in with.
Sent judge(const base::Result<http::HttpResponse>& response, base::WallTime now);

// What the end of a program means: exit code 0 has taken it; those of sysexits.h that no later attempt would change
// have refused it, 65 (EX_DATAERR) this message; where it did not run it has not seen it; of everything else it is not
// known.
Sent judge(const base::Result<os::Finished>& finished);

// Retry-After as seconds or as an HTTP date; a day at most.
std::optional<base::Millis> parse_retry_after(std::string_view value, base::WallTime now);

}  // namespace notify
