// HTTP requests by libcurl's multi interface on the event loop. Names are resolved by our Resolver before curl sees the
// URL (a stuck look-up would freeze curl 7.88). No proxy unless asked; environment variables are ignored.
// Redirects are followed here, each with a look-up of its own and with the cookies that were set on the way;
// Authorization, Cookie and Host stay with their origin, but go on from http to https of the same host.
// A connection that is not to be reused is reset when it is done: no TIME_WAIT. Handles must be dropped before the
// client.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "loop/handle.h"
#include "model/outcome.h"
#include "net/address.h"
#include "net/tls/peer_chain.h"

namespace loop {
class EventLoop;
}  // namespace loop

namespace net {
class Boundary;
class Resolver;
class TlsContext;
}  // namespace net

namespace http {

// required: nothing else is spoken, over TLS as without it (prior knowledge); offered: over TLS, if the server likes.
enum class Http2 { no, offered, required };

struct HttpResponse;

using Headers = std::vector<std::pair<std::string, std::string>>;

// The first value of that header, in any case; null if there is none.
const std::string* find_header(const Headers& headers, std::string_view name);
// 301, 302, 303, 307 and 308: go where Location says.
bool is_redirect(int status);
// What a status of 401 or 403 says of the credentials that a request was sent with.
std::string refused_credentials(const HttpResponse& response);
// The name that the host of a Host header is called by in TLS; "" if there is none, or it is an address.
std::string tls_name_of(const Headers& headers);

struct HttpResponse {
  model::Reason reason = model::Reason::none;  // none: a complete answer came, whatever its status
  std::string text;                            // why not
  int status = 0;
  std::string version;  // "1.1", "2"
  Headers headers;      // of the last response, in order, names as sent; trailers follow
  std::string body;
  std::size_t body_size = 0;  // unpacked; more than `body` has where what is beyond the limit is only counted
  std::string effective_url;
  int redirects = 0;
  std::vector<std::string> cookies;  // values that redirects set; they are secrets
  bool without_credentials = false;  // a redirect led away from the origin that they were for
  std::int64_t content_length = -1;  // as declared; -1 unknown
  std::vector<model::Phase>
      phases;  // resolve, connect, tls, processing, transfer: last request's, like the blackbox exporter's
  std::string address;
  bool tls_seen = false;
  net::PeerChain chain;  // also when verification failed
};

struct HttpRequest {
  std::string method = "GET";
  std::string url{};  // http:// or https://
  Headers headers{};
  Headers private_headers{};  // further ones, which no redirect takes to another origin, as it is with Authorization
  std::string body{};
  std::string unix_socket{};                 // connect here instead of to the URL's host
  std::string proxy{};                       // "": none
  std::optional<std::string> https_proxy{};  // where another one is asked for https:// URLs
  std::string no_proxy{};   // hosts that are asked without it: names, addresses and networks, with commas between
  Headers proxy_headers{};  // of the CONNECT request to the proxy
  net::Family family = net::Family::any;
  std::shared_ptr<net::TlsContext> tls{};  // for https; null: the default settings
  base::Instant deadline{};                // absolute, for everything
  std::size_t body_limit = 64 * 1024;      // more is Reason::too_large
  bool counts_rest = false;                // more is read and counted, and not kept
  int max_redirects = 10;                  // 0: a redirect is the answer
  bool keeps_method = false;      // a redirect that would change the method or drop the body is the answer, too
  bool reuse_connection = false;  // keep-alive between requests to the same origin
  Http2 http2 = Http2::no;
  std::shared_ptr<const net::Boundary> boundary{};  // of this request and all redirects; null: anywhere
  bool names_own_host = false;  // the configuration itself says where this goes: no boundary is put around it
  // Of an answer that has no end of its own (a watch): asked of the body as it grows; true ends the request with that
  // body, as if the answer were complete.
  std::function<bool(std::string_view body)> enough{};
  std::string accept_encoding{};  // gzip, br, deflate …: the body is delivered decoded; "": as it comes
  bool must_be_encoded = false;   // a body that is not in accept_encoding is no answer
  // The answer that has come to this request, a redirect: only what it leads to is asked for.
  std::shared_ptr<const HttpResponse> answered{};
};

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // `done` exactly once, in a later turn. Dropping the Handle closes the connection and keeps `done` from coming.
  virtual loop::Handle request(HttpRequest request, std::function<void(HttpResponse)> done) = 0;
};

class CurlHttpClient final : public HttpClient {
 public:
  CurlHttpClient(loop::EventLoop& loop, net::Resolver& resolver);
  ~CurlHttpClient() override;
  loop::Handle request(HttpRequest request, std::function<void(HttpResponse)> done) override;

 private:
  struct Multi;
  std::unique_ptr<Multi> multi_;
};

}  // namespace http
