// One HTTP request to a running agent, waited for: over TCP (--url) or the admin socket.
#pragma once

#include <string>

#include "base/result.h"
#include "http/http_client.h"

namespace cli {

// The body of a 2xx answer. Else an error that says who did not answer, or what it answered.
base::Result<std::string> fetch(http::HttpRequest request);
base::Result<std::string> get(const std::string& base_url, const std::string& path_and_query);
// POST over the admin socket.
base::Result<std::string> post_admin(const std::string& socket, const std::string& path_and_query);

}  // namespace cli
