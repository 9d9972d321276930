// Just enough network for the demo: HTTP/1.1 over blocking sockets with a time limit, a client, and one Redis command.
// Each connection is served on a thread of its own, so that a slow answer holds up nobody else.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace shop {

// A descriptor that is closed with its owner.
class Fd {
 public:
  explicit Fd(int number = -1) : number_(number) {}
  Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Fd();
  int number() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_;
};

struct Address {
  std::string host;  // an IPv4 address; the demo lives on loopback
  int port = 0;
};

// "127.0.0.1:8081". Throws std::runtime_error that says what is wrong.
Address parse_address(std::string_view text);

struct Request {
  std::string method, path;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

struct Response {
  int status = 200;  // 0 from the client: no answer, and `body` says why
  std::string body;
};

using Handler = std::function<Response(const Request&)>;

// A listening socket. Throws std::runtime_error that names the address.
Fd listen_on(const Address& address, int backlog);
// A connected socket whose reads and writes give up after `limit_ms`; without one, why not is left in `error`.
Fd connect_to(const Address& address, int limit_ms, std::string& error);
// Answers requests on `connection` until the peer closes it, asks for that, or is silent for five seconds.
void serve(const Fd& connection, const Handler& handler);
Response http_get(const Address& address, std::string_view path, int limit_ms);
// One command, its words separated by blanks; the first line of the answer without its line end ("" if there is none).
std::string redis(const Address& address, std::string_view command, int limit_ms);

}  // namespace shop
