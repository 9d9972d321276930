#include "web/connection.h"

#include <civetweb.h>
#include <fmt/format.h>

#include <array>

#include "base/ascii.h"

namespace web {
namespace {

// Head and body up to this size are sent as one piece; a larger body is not copied for it.
constexpr std::size_t kOnePiece = 16 * 1024;

base::Result<std::string> read_body(mg_connection* connection, std::size_t most) {
  std::string body;
  std::array<char, 8192> part{};
  for (;;) {
    const int n = mg_read(connection, part.data(), part.size());
    if (n < 0) return base::fail(base::Kind::io, "The request's body did not arrive.");
    if (n == 0) return body;
    body.append(part.data(), static_cast<std::size_t>(n));
    if (body.size() > most)
      return base::fail(base::Kind::limit, fmt::format("The request's body is larger than {} bytes.", most));
  }
}

}  // namespace

base::Result<Request> read_request(mg_connection* connection, std::size_t most) {
  const mg_request_info* info = mg_get_request_info(connection);
  Request request;
  request.method = info->request_method;
  request.path = info->local_uri;
  for (int i = 0; i < info->num_headers; ++i)
    request.headers.emplace_back(info->http_headers[i].name, info->http_headers[i].value);
  if (request.method == "POST" || request.method == "PUT") {
    if (info->content_length > static_cast<long long>(most))
      return base::fail(base::Kind::limit, fmt::format("The request's body is larger than {} bytes.", most));
    if (base::same_word(request.header("Expect"), "100-continue"))
      send_bytes(connection, "HTTP/1.1 100 Continue\r\n\r\n");
    TRY(request.body, read_body(connection, most));
    const std::string type = request.header("Content-Type");
    if (base::same_word(trim(std::string_view(type).substr(0, type.find(';'))), "application/x-www-form-urlencoded"))
      add_params(request.body, request.params);
  }
  if (info->query_string) add_params(info->query_string, request.params);
  return request;
}

void send_response(mg_connection* connection, const Request& request, const Response& response) {
  const bool has_body = response.status != 204 && response.status != 304;
  std::string out =
      fmt::format("HTTP/1.1 {} {}\r\nConnection: close\r\n", response.status, status_text(response.status));
  if (has_body)
    out += fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n", response.content_type, response.body.size());
  for (const auto& [name, value] : response.headers) out += fmt::format("{}: {}\r\n", name, value);
  out += "\r\n";
  const bool sends_body = has_body && request.method != "HEAD";
  const bool together = response.body.size() <= kOnePiece;
  if (sends_body && together) out += response.body;
  if (send_bytes(connection, out) && sends_body && !together) send_bytes(connection, response.body);
}

bool send_bytes(mg_connection* connection, std::string_view bytes) {
  return mg_write(connection, bytes.data(), bytes.size()) == static_cast<int>(bytes.size());
}

}  // namespace web
