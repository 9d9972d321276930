#include "web/server/connection.h"

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
    TRY(request.body, read_body(connection, most));
    const std::string type = request.header("Content-Type");
    if (base::same_word(base::trim(std::string_view(type).substr(0, type.find(';'))),
                        "application/x-www-form-urlencoded"))
      add_params(request.body, request.params);
  }
  if (info->query_string) add_params(info->query_string, request.params);
  return request;
}

std::string connection_header(const WholeRequest& request, bool stays) {
  if (!stays) return "Connection: close\r\n";
  return request.http_1_0 ? "Connection: keep-alive\r\n" : "";
}

namespace {

std::string head_of(const Response& response, std::string_view connection_header) {
  std::string out =
      fmt::format("HTTP/1.1 {} {}\r\n{}", response.status, status_text(response.status), connection_header);
  if (response.status != 204 && response.status != 304)
    out += fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n", response.content_type, response.body.size());
  for (const auto& [name, value] : response.headers) out += fmt::format("{}: {}\r\n", name, value);
  out += "\r\n";
  return out;
}

bool has_body(std::string_view method, const Response& response) {
  return response.status != 204 && response.status != 304 && method != "HEAD";
}

}  // namespace

std::string response_bytes(std::string_view method, const Response& response, std::string_view connection_header) {
  std::string out = head_of(response, connection_header);
  if (has_body(method, response)) out += response.body;
  return out;
}

void send_response(mg_connection* connection, const Request& request, const Response& response, Exchange* exchange) {
  std::string out = head_of(response, exchange ? exchange->connection_header : "Connection: close\r\n");
  const bool body = has_body(request.method, response);
  const bool together = response.body.size() <= kOnePiece;
  if (body && together) out += response.body;
  bool sent = send_bytes(connection, out);
  if (sent && body && !together) sent = send_bytes(connection, response.body);
  if (sent && exchange) exchange->answered = true;
}

Response unauthorized() {
  Response response = text_response(401, "Name and password, please.");
  response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"fettle\"");
  return response;
}

bool send_bytes(mg_connection* connection, std::string_view bytes) {
  return mg_write(connection, bytes.data(), bytes.size()) == static_cast<int>(bytes.size());
}

}  // namespace web
