// Between CivetWeb's connection and our plain requests and responses, and how a response looks in bytes. Worker
// threads; the latter any.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "web/server/exchange.h"
#include "web/server/http.h"
#include "web/server/request_reader.h"

struct mg_connection;

namespace web {

// Reads the body of a POST, up to `most` bytes: Kind::limit above it, Kind::io if the client stops in between.
base::Result<Request> read_request(mg_connection* connection, std::size_t most);

// The whole answer. Leaves the body out for HEAD. What belongs to no exchange ends its connection.
void send_response(mg_connection* connection, const Request& request, const Response& response, Exchange* exchange);

// False when the client is gone.
bool send_bytes(mg_connection* connection, std::string_view bytes);

// "Connection: close\r\n", or what a client of this version needs to know that the connection stays.
std::string connection_header(const WholeRequest& request, bool stays);
std::string response_bytes(std::string_view method, const Response& response, std::string_view connection_header);

Response unauthorized();

}  // namespace web
