// How the HTTP client drives curl: one multi handle on the loop, and a Transfer for each request. Used inside http/
// only.
#pragma once

#include <curl/curl.h>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "encoding/inflater.h"
#include "http/cookie_jar.h"
#include "http/curl_easy.h"
#include "http/http_client.h"
#include "loop/event_loop.h"
#include "net/tls/certificate_verifier.h"

namespace http {

struct CurlHttpClient::Multi {
  class Transfer;

  Multi(loop::EventLoop& l, net::Resolver& r);
  ~Multi();
  const Origin& origin_of(const std::string& url, std::string& error);
  Easy take_easy();
  void give_back(Easy easy, bool kept);  // `kept`: it could use a kept connection
  void watch_idle(CURL* easy, curl_socket_t fd);
  void drive(curl_socket_t fd, int what);
  static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void*);
  static int on_timer(CURLM*, long ms, void* self);
  static int on_close(void* self, curl_socket_t fd);

  loop::EventLoop& loop;
  net::Resolver& resolver;
  CURLM* curl;
  std::unordered_map<curl_socket_t, loop::Handle> sockets;
  loop::Handle timer;
  std::vector<Easy> idle;
  std::unordered_map<std::string, Origin> origins;
};

// One request with all its redirects.
class CurlHttpClient::Multi::Transfer final : public loop::Registration {
 public:
  Transfer(Multi& multi, HttpRequest request, std::function<void(HttpResponse)> done);
  ~Transfer() override { leave(); }
  void finished(CURLcode code);

 private:
  static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self);
  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self);
  static CURLcode on_ssl_context(CURL*, void* context, void* self);

  void begin();                                   // the request, or the next one after a redirect
  void begin_with(const HttpResponse& answered);  // what that leads to
  std::string beyond_boundary() const;
  void resolved(base::Result<std::vector<net::Address>> addresses);
  void start();
  void set_method();
  bool set_headers();
  bool header_line(std::string_view line);
  void see_connection();
  void collect();
  bool follow();
  std::string cookies(const std::string& own) const;
  std::string finish_decoding();
  bool take_body(std::string_view bytes);
  void on_deadline();
  void leave();
  void fail_soon(model::Reason reason, std::string text);
  void complete(model::Reason reason, std::string text);
  bool tls() const { return origin_.scheme == "https"; }
  // What is asked in place of the URL's own host; "" if nothing is.
  const std::string& proxy() const { return tls() && request_.https_proxy ? *request_.https_proxy : request_.proxy; }
  // What is packed is unpacked here: curl stops at the end of the first part of a gzip body, and takes one that is cut
  // off for complete.
  bool decodes() const {
    const std::string& wanted = request_.accept_encoding;
    return wanted == "gzip" || wanted == "deflate" || wanted == "br";
  }
  std::string where() const;
  std::string server_name() const {
    if (const std::string& wanted = request_.tls->settings().server_name; !wanted.empty() && !elsewhere_) return wanted;
    const std::string named = tls_name_of(request_.headers);
    return named.empty() ? origin_.host : named;
  }

  Multi& multi_;
  HttpRequest request_;
  std::function<void(HttpResponse)> done_;
  HttpResponse response_;
  Origin origin_;
  std::string first_host_;
  bool elsewhere_ = false;  // a redirect led to another host than the first
  Origin connect_to_;       // the proxy's if there is one
  Easy easy_;
  bool running_ = false;  // easy_ is in the multi handle
  bool proxied_ = false;
  bool too_large_ = false;
  bool enough_ = false;  // as the request says
  bool redirected_to_get_ = false;
  CookieJar jar_;
  std::optional<encoding::Inflater> inflater_;  // of the body that is coming
  bool undecodable_ = false;
  bool in_head_ = false;  // of an answer, not in its trailers
  std::string broken_;    // what is wrong with the head
  Slist headers_, proxy_headers_, addresses_;
  std::shared_ptr<net::Verification> verification_;
  base::Instant began_resolving_{};
  base::Duration resolve_took_{};
  loop::Handle deadline_, resolving_;
  std::array<char, CURL_ERROR_SIZE> error_{};
};

}  // namespace http
