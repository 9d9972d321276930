// Between CivetWeb's connection and our plain requests and responses. Worker threads.
#pragma once

#include <string_view>

#include "base/result.h"
#include "web/http.h"

struct mg_connection;

namespace web {

// Reads the body of a POST, up to `most` bytes: Kind::limit above it, Kind::io if the client stops in between.
base::Result<Request> read_request(mg_connection* connection, std::size_t most);

// The whole answer; the connection is closed after it (see server.cc). Leaves the body out for HEAD.
void send_response(mg_connection* connection, const Request& request, const Response& response);

// False when the client is gone.
bool send_bytes(mg_connection* connection, std::string_view bytes);

}  // namespace web
