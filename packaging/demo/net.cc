#include "net.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <vector>

namespace shop {
namespace {

constexpr std::size_t kLargest = 1 << 20;  // of a head or a body; more is not from this demo
constexpr int kIdleMs = 5000;

sockaddr_in to_sockaddr(const Address& address) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(address.port));
  if (inet_pton(AF_INET, address.host.c_str(), &to.sin_addr) != 1)
    throw std::runtime_error(fmt::format("{} is not an IPv4 address", address.host));
  return to;
}

void limit(int fd, int ms) {
  const timeval time{.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

// Appends what comes next. False at the end of the stream, an error or the time limit.
bool receive_more(int fd, std::string& buffer) {
  char piece[8192];
  const ssize_t got = recv(fd, piece, sizeof piece, 0);
  if (got <= 0) return false;
  buffer.append(piece, static_cast<std::size_t>(got));
  return true;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

std::map<std::string, std::string> parse_headers(std::string_view head) {
  std::map<std::string, std::string> headers;
  std::size_t at = head.find("\r\n");
  while (at != std::string_view::npos) {
    head.remove_prefix(at + 2);
    at = head.find("\r\n");
    const std::string_view line = head.substr(0, at);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    std::string_view value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    headers[lower(line.substr(0, colon))] = value;
  }
  return headers;
}

std::size_t content_length(const std::map<std::string, std::string>& headers) {
  const auto found = headers.find("content-length");
  if (found == headers.end()) return 0;
  std::size_t length = 0;
  std::from_chars(found->second.data(), found->second.data() + found->second.size(), length);
  return length;
}

// The next request of the connection; `buffer` holds what was read beyond the one before.
std::optional<Request> read_request(int fd, std::string& buffer) {
  std::size_t end = buffer.find("\r\n\r\n");
  for (; end == std::string::npos; end = buffer.find("\r\n\r\n"))
    if (buffer.size() > kLargest || !receive_more(fd, buffer)) return std::nullopt;
  const std::string head = buffer.substr(0, end);
  buffer.erase(0, end + 4);

  Request request;
  const std::string line = head.substr(0, head.find("\r\n"));
  const std::size_t first = line.find(' '), second = line.rfind(' ');
  if (first == std::string::npos || second == first) return std::nullopt;
  request.method = line.substr(0, first);
  request.path = line.substr(first + 1, second - first - 1);
  request.path = request.path.substr(0, request.path.find('?'));
  request.headers = parse_headers(head);
  const std::size_t length = content_length(request.headers);
  if (length > kLargest) return std::nullopt;
  while (buffer.size() < length)
    if (!receive_more(fd, buffer)) return std::nullopt;
  request.body = buffer.substr(0, length);
  buffer.erase(0, length);
  return request;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 404: return "Not Found";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    default: return "Unknown";
  }
}

}  // namespace

Fd::~Fd() {
  if (number_ >= 0) close(number_);
}

Address parse_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  Address address;
  if (colon != std::string_view::npos) {
    const std::string_view port = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
    address.host = text.substr(0, colon);
    if (error == std::errc{} && end == port.data() + port.size() && address.port > 0 && address.port < 65536)
      return address;
  }
  throw std::runtime_error(fmt::format("\"{}\" is not an address; write it as 127.0.0.1:8081", text));
}

Fd listen_on(const Address& address, int backlog) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  setsockopt(fd.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in to = to_sockaddr(address);
  if (!fd || bind(fd.number(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 ||
      listen(fd.number(), backlog) != 0)
    throw std::runtime_error(
        fmt::format("cannot listen on {}:{}: {}", address.host, address.port, std::strerror(errno)));
  return fd;
}

Fd connect_to(const Address& address, int limit_ms, std::string& error) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  limit(fd.number(), limit_ms);  // Linux: the limit of sends is that of connect, too
  const sockaddr_in to = to_sockaddr(address);
  if (connect(fd.number(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) return fd;
  error = errno == EINPROGRESS ? "timeout" : std::strerror(errno);
  return Fd();
}

void serve(const Fd& connection, const Handler& handler) {
  limit(connection.number(), kIdleMs);
  std::string buffer;
  while (const auto request = read_request(connection.number(), buffer)) {
    const Response response = handler(*request);
    const auto asked = request->headers.find("connection");
    const bool last = asked != request->headers.end() && lower(asked->second) == "close";
    const std::string head = fmt::format(
        "HTTP/1.1 {} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: {}\r\n\r\n",
        response.status, reason_phrase(response.status), response.body.size(), last ? "close" : "keep-alive");
    if (!send_all(connection.number(), head + response.body) || last) return;
  }
}

Response http_get(const Address& address, std::string_view path, int limit_ms) {
  std::string answer;
  std::string error = "timeout";
  const Fd fd = connect_to(address, limit_ms, error);
  if (!fd) return {.status = 0, .body = error};
  send_all(fd.number(), fmt::format("GET {} HTTP/1.1\r\nHost: {}:{}\r\nConnection: close\r\n\r\n", path, address.host,
                                    address.port));
  std::size_t body = std::string::npos;
  while (body == std::string::npos) {
    if (!receive_more(fd.number(), answer)) return {.status = 0, .body = answer.empty() ? error : "closed early"};
    body = answer.find("\r\n\r\n");
  }
  const std::size_t whole = body + 4 + content_length(parse_headers(answer.substr(0, body)));
  while (answer.size() < whole)
    if (!receive_more(fd.number(), answer)) return {.status = 0, .body = "closed early"};
  Response response;
  const std::size_t space = answer.find(' ');
  std::from_chars(answer.data() + space + 1, answer.data() + body, response.status);
  response.body = answer.substr(body + 4);
  return response;
}

std::string redis(const Address& address, std::string_view command, int limit_ms) {
  std::vector<std::string_view> words;
  while (!command.empty()) {
    const std::size_t blank = std::min(command.find(' '), command.size());
    words.push_back(command.substr(0, blank));
    command.remove_prefix(std::min(blank + 1, command.size()));
  }
  std::string bytes = fmt::format("*{}\r\n", words.size());
  for (const std::string_view word : words) bytes += fmt::format("${}\r\n{}\r\n", word.size(), word);

  std::string error, answer;
  const Fd fd = connect_to(address, limit_ms, error);
  if (!fd || !send_all(fd.number(), bytes)) return "";
  while (answer.find("\r\n") == std::string::npos)
    if (!receive_more(fd.number(), answer)) return "";
  return answer.substr(0, answer.find("\r\n"));
}

}  // namespace shop
