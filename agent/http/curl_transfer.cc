#include <curl/curl.h>
#include <fmt/format.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "base/ascii.h"
#include "base/check.h"
#include "encoding/url.h"
#include "http/curl_multi.h"
#include "http/curl_tls.h"
#include "http/no_proxy.h"
#include "net/boundary.h"
#include "net/connect_reason.h"
#include "net/hosts_file.h"

namespace http {
namespace {

using model::Reason;

// curl has checked that it is a port.
std::uint16_t port_number(const Origin& origin) {
  return static_cast<std::uint16_t>(std::strtoul(origin.port.c_str(), nullptr, 10));
}

bool has_line_break(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) != text.npos; }

}  // namespace

CurlHttpClient::Multi::Transfer::Transfer(Multi& multi, HttpRequest request, std::function<void(HttpResponse)> done)
    : multi_(multi), request_(std::move(request)), done_(std::move(done)), easy_(multi.take_easy()) {
  response_.effective_url = request_.url;
  deadline_ = multi_.loop.at(request_.deadline, [this] { on_deadline(); });
  if (request_.answered == nullptr) begin();
  else begin_with(*request_.answered);
}

void CurlHttpClient::Multi::Transfer::begin_with(const HttpResponse& answered) {
  response_ = answered;
  response_.effective_url = request_.url;
  std::string error;
  origin_ = multi_.origin_of(request_.url, error);
  if (!error.empty()) return fail_soon(Reason::protocol_error, std::move(error));
  first_host_ = origin_.host;
  if (!follow()) fail_soon(Reason::none, "");
}

void CurlHttpClient::Multi::Transfer::begin() {
  std::string error;
  origin_ = multi_.origin_of(response_.effective_url, error);
  if (first_host_.empty()) first_host_ = origin_.host;
  // Not for curl to say: it would ask the system's resolver for the host, which may block.
  proxied_ = !proxy().empty() && !goes_without_proxy(request_.no_proxy, origin_.host, origin_.port);
  connect_to_ = error.empty() && proxied_ ? multi_.origin_of(proxy(), error) : origin_;
  if (!error.empty()) return fail_soon(Reason::protocol_error, std::move(error));
  if (std::string why = beyond_boundary(); !why.empty()) return fail_soon(Reason::unreachable, std::move(why));
  if (tls() && request_.tls == nullptr) {
    auto context = net::TlsContext::get({});
    if (!context) return fail_soon(Reason::tls_handshake, context.error().text);
    request_.tls = *std::move(context);
  }
  addresses_.reset();
  resolve_took_ = {};
  if (!request_.unix_socket.empty()) return start();
  if (connect_to_.literal && request_.family == net::Family::any) return start();
  began_resolving_ = multi_.loop.now();
  resolving_ = multi_.resolver.resolve(
      connect_to_.host, 0, request_.family, request_.deadline,
      [this](base::Result<std::vector<net::Address>> addresses) { resolved(std::move(addresses)); });
}

// Why the next request may not be made; what its name stands for is seen when it is resolved. Where a proxy is asked,
// it is the configuration's, and resolves names itself.
std::string CurlHttpClient::Multi::Transfer::beyond_boundary() const {
  const net::Boundary* boundary = request_.boundary.get();
  if (boundary == nullptr) return "";
  if (std::string why = boundary->refuses_url(response_.effective_url); !why.empty()) return why;
  if (!request_.unix_socket.empty()) return boundary->refuses_socket(request_.unix_socket);
  if (!origin_.literal) return "";
  std::vector<net::Address> address = net::parse_literal(origin_.host);
  return net::keep_within(boundary, origin_.host, port_number(origin_), address);
}

void CurlHttpClient::Multi::Transfer::resolved(base::Result<std::vector<net::Address>> addresses) {
  resolving_.reset();
  resolve_took_ = multi_.loop.now() - began_resolving_;
  if (!addresses) return complete(net::reason_of_lookup(addresses.error()), addresses.error().text);
  if (!proxied_)
    if (std::string why =
            net::keep_within(request_.boundary.get(), connect_to_.host, port_number(connect_to_), *addresses);
        !why.empty())
      return complete(Reason::unreachable, std::move(why));
  if (!connect_to_.literal) {
    std::string list;
    for (const net::Address& address : *addresses) {
      if (!list.empty()) list += ',';
      list += address.is_v6() ? fmt::format("[{}]", address.text) : address.text;
    }
    // '+': forgotten after a minute, as any other entry of curl's cache; each request brings its own anyway.
    std::string host = connect_to_.host;
    append(addresses_, fmt::format("+{}:{}:{}", host, connect_to_.port, list));
    if (host.back() == '.') {
      host.pop_back();
      append(addresses_, fmt::format("+{}:{}:{}", host, connect_to_.port, list));
    }
  }
  start();
}

void CurlHttpClient::Multi::Transfer::set_method() {
  CURL* e = easy_.get();
  const bool get = redirected_to_get_ || request_.method == "GET";
  curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, nullptr);
  if (redirected_to_get_ || (get && request_.body.empty())) {
    curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
  } else if (request_.method == "HEAD") {
    curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
  } else if (request_.method == "POST" || !request_.body.empty()) {
    curl_easy_setopt(e, CURLOPT_POST, 1L);
    curl_easy_setopt(e, CURLOPT_POSTFIELDS, request_.body.c_str());
    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    if (request_.method != "POST") curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  } else {
    curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }
}

// False if a header would break out of its line.
bool CurlHttpClient::Multi::Transfer::set_headers() {
  headers_.reset();
  proxy_headers_.reset();
  for (const auto& [name, value] : request_.proxy_headers) {
    if (has_line_break(name) || has_line_break(value)) return false;
    append(proxy_headers_, fmt::format("{}: {}", name, value));
  }
  bool typed = false;
  const std::string* own_cookies = find_header(request_.headers, "Cookie");
  const std::string all_cookies = cookies(own_cookies == nullptr ? "" : *own_cookies);
  if (has_line_break(all_cookies)) return false;
  if (!all_cookies.empty()) append(headers_, "Cookie: " + all_cookies);
  if (decodes() && find_header(request_.headers, "Accept-Encoding") == nullptr)
    append(headers_, "Accept-Encoding: " + request_.accept_encoding);
  for (const Headers* headers : {&request_.headers, &request_.private_headers})
    for (const auto& [name, value] : *headers) {
      if (has_line_break(name) || has_line_break(value)) return false;
      if (base::same_word(name, "Cookie") && !all_cookies.empty() && &value == own_cookies) continue;
      typed |= base::same_word(name, "Content-Type");
      append(headers_, value.empty() ? name + ";" : fmt::format("{}: {}", name, value));
    }
  if (!redirected_to_get_ && (!request_.body.empty() || request_.method == "POST")) {
    append(headers_, "Expect:");  // no waiting for 100 Continue
    if (!typed) append(headers_, "Content-Type:");
  }
  curl_easy_setopt(easy_.get(), CURLOPT_HTTPHEADER, headers_.get());
  return true;
}

void CurlHttpClient::Multi::Transfer::start() {
  CURL* e = easy_.get();
  if (has_line_break(request_.method) || !set_headers())
    return fail_soon(Reason::protocol_error, "the method or a header has a line break in it");
  curl_easy_setopt(e, CURLOPT_URL, response_.effective_url.c_str());
  set_method();
  curl_easy_setopt(e, CURLOPT_RESOLVE, addresses_.get());
  curl_easy_setopt(e, CURLOPT_PROXY, proxied_ ? proxy().c_str() : "");
  curl_easy_setopt(e, CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));
  curl_easy_setopt(e, CURLOPT_PROXYHEADER, proxy_headers_.get());
  curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, request_.unix_socket.empty() ? nullptr : request_.unix_socket.c_str());
  curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, request_.reuse_connection ? 0L : 1L);
  curl_easy_setopt(e, CURLOPT_FORBID_REUSE, request_.reuse_connection ? 0L : 1L);
  // curl compares what it knows of TLS before it takes a kept connection, and our contexts are none of that. So each
  // has a folder of authorities of its own, which is never looked into (lend_tls): a connection whose peer nobody
  // verified is not lent to a request that does, nor one that a client certificate has opened.
  // Nor is one that was verified for another name.
  if (tls())
    curl_easy_setopt(e, CURLOPT_CAPATH, fmt::format("/nonexistent/{}/{}", request_.tls->id(), server_name()).c_str());
  curl_easy_setopt(e, CURLOPT_HTTP_VERSION,
                   request_.http2 == Http2::required  ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE
                   : request_.http2 == Http2::offered ? CURL_HTTP_VERSION_2TLS
                                                      : CURL_HTTP_VERSION_1_1);
  // The deadline ends it; this says how long one address may take while there are others.
  const auto left = std::chrono::ceil<base::Millis>(request_.deadline - multi_.loop.now());
  curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::max<base::Millis>(left, {}).count() + 1000));
  curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING,
                   request_.accept_encoding.empty() || decodes() ? nullptr : request_.accept_encoding.c_str());
  inflater_.reset();
  undecodable_ = false;
  in_head_ = false;
  broken_.clear();
  curl_easy_setopt(e, CURLOPT_PRIVATE, this);
  curl_easy_setopt(e, CURLOPT_ERRORBUFFER, error_.data());
  curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  curl_easy_setopt(e, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  curl_easy_setopt(e, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, tls() ? &Transfer::on_ssl_context : nullptr);
  curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, this);
  curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, &Multi::on_close);
  curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, &multi_);
  error_[0] = '\0';
  // Adding only arms a timer of now (on_timer): nothing is told from inside request().
  CHECK(curl_multi_add_handle(multi_.curl, e) == CURLM_OK);
  running_ = true;
}

CURLcode CurlHttpClient::Multi::Transfer::on_ssl_context(CURL*, void* context, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const net::TlsSettings& settings = transfer.request_.tls->settings();
  transfer.verification_ = std::make_shared<net::Verification>();
  transfer.verification_->host = transfer.server_name();
  transfer.verification_->skip = settings.insecure_skip_verify;
  transfer.verification_->staple_required = settings.require_ocsp_staple;
  // curl names the URL's own host itself.
  const std::string& host = transfer.verification_->host;
  lend_tls(*transfer.request_.tls, static_cast<SSL_CTX*>(context), host == transfer.origin_.host ? "" : host,
           transfer.verification_);
  return CURLE_OK;
}

std::string CurlHttpClient::Multi::Transfer::where() const {
  if (!request_.unix_socket.empty()) return request_.unix_socket;
  const std::string& host = response_.address.empty() ? connect_to_.host : response_.address;
  if (host.find(':') != std::string::npos) return fmt::format("[{}]:{}", host, connect_to_.port);
  return fmt::format("{}:{}", host, connect_to_.port);
}

// What curl knows about the last request, however it ended.
void CurlHttpClient::Multi::Transfer::collect() {
  CURL* e = easy_.get();
  long status = 0;
  curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &status);
  response_.status = static_cast<int>(status);
  curl_off_t length = -1;
  curl_easy_getinfo(e, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  response_.content_length = length;
  const char* address = nullptr;
  curl_easy_getinfo(e, CURLINFO_PRIMARY_IP, &address);
  if (address != nullptr && request_.unix_socket.empty()) response_.address = address;
  // A connection that was refused leaves no address; one that the URL itself names is known all the same.
  if (response_.address.empty() && request_.unix_socket.empty() && connect_to_.literal)
    response_.address = connect_to_.host;
  response_.phases = phases_of(e, tls());
  if (began_resolving_ != base::Instant{})
    response_.phases.insert(response_.phases.begin(), {"resolve", resolve_took_});
  if (verification_ != nullptr) response_.chain = verification_->chain;
  if (verification_ != nullptr && !heard_nothing(e)) verification_->wants_certificate = false;
  response_.tls_seen = !response_.chain.version.empty();
}

void CurlHttpClient::Multi::Transfer::finished(CURLcode code) {
  collect();
  if (enough_) return complete(Reason::none, "");
  // curl says so of a line of a head that is longer than it reads.
  if (code == CURLE_OUT_OF_MEMORY && in_head_) broken_ = "sent a head with a line of more than 100 KiB";
  if (!broken_.empty()) return complete(Reason::protocol_error, fmt::format("{} {}", where(), broken_));
  if (code == CURLE_OK && follow()) return;
  if (code == CURLE_OK && request_.max_redirects > 0 && response_.redirects > request_.max_redirects)
    return complete(Reason::protocol_error, fmt::format("more than {} redirects", request_.max_redirects));
  if (too_large_)
    return complete(Reason::too_large, fmt::format("the body is larger than {} bytes", request_.body_limit));
  if (code == CURLE_OK || undecodable_)
    if (std::string why = finish_decoding(); !why.empty()) return complete(Reason::protocol_error, std::move(why));
  if (code != CURLE_OK && verification_ != nullptr && verification_->reason != Reason::none)
    return complete(verification_->reason, fmt::format("certificate of {}: {}", where(), response_.chain.verify_error));
  Reason reason = reason_of(code, easy_.get(), tls(), error_.data());
  if (code == CURLE_COULDNT_CONNECT) {
    long system_error = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_OS_ERRNO, &system_error);
    if (system_error == 0) return complete(reason, fmt::format("connect to {}: {}", where(), error_.data()));
    const auto literal = net::parse_literal(response_.address);
    const net::StreamFailure failure = net::connect_failure(
        static_cast<int>(system_error), where(), request_.unix_socket, literal.empty() ? nullptr : &literal.front());
    return complete(failure.reason, failure.text);
  }
  std::string text = code == CURLE_OK         ? std::string()
                     : error_.front() != '\0' ? fmt::format("{}: {}", where(), error_.data())
                                              : fmt::format("{}: {}", where(), curl_easy_strerror(code));
  const bool ended = code != CURLE_OK && code != CURLE_OPERATION_TIMEDOUT && reason != Reason::agent_overloaded;
  if (ended && verification_ != nullptr && verification_->wants_certificate) {
    reason = Reason::tls_handshake;
    text += net::certificate_hint(*verification_);
  }
  complete(reason, std::move(text));
}

// The Cookie header of the next request: `own`, as configured, with what was set on the way.
std::string CurlHttpClient::Multi::Transfer::cookies(const std::string& own) const {
  const auto url = encoding::parse_url(response_.effective_url);
  const std::string set = url ? jar_.for_request(*url) : "";
  return own.empty() || set.empty() ? own + set : own + "; " + set;
}

// True if another request follows. Methods change as Go changes them: only GET and HEAD stay with 301 to 303, all with
// 307 and 308 (RFC 9110, 15.4). A Location without a word leads nowhere.
bool CurlHttpClient::Multi::Transfer::follow() {
  const int status = response_.status;
  if (request_.max_redirects == 0 || !is_redirect(status)) return false;
  const bool to_get = status <= 303 && request_.method != "GET" && request_.method != "HEAD";
  if (to_get && request_.keeps_method) return false;
  const std::string* location = find_header(response_.headers, "Location");
  const bool leads = location != nullptr && location->find_first_not_of(" \t") != std::string::npos;
  const std::string url = leads ? redirect_url(response_.effective_url, *location) : "";
  if (url.empty() || ++response_.redirects > request_.max_redirects) return false;
  if (const auto from = encoding::parse_url(response_.effective_url); from)
    jar_.take(*from, response_.headers, multi_.loop.wall_now());
  response_.cookies = jar_.values();
  leave();
  easy_ = multi_.take_easy();
  if (to_get) redirected_to_get_ = request_.method != "HEAD";
  std::string error;
  const Origin next = multi_.origin_of(url, error);
  // A header for another host than the URL's, and a name for TLS, are meant for what was asked first: they stay for a
  // Location that names no host, as in Go.
  const bool names_host = location->find("://") < location->find_first_of("/?#") + 1;
  elsewhere_ = error.empty() && next.host != first_host_;
  if (error.empty() && names_host)
    std::erase_if(request_.headers, [&](const auto& header) {
      return base::same_word(header.first, "Host") ||
             (base::same_word(header.first, "Authorization") && encoding::names_user(url));
    });
  if (next != origin_ && error.empty()) {
    // The same host that asks for TLS is told no less than without.
    const bool upgrade = next.host == origin_.host && origin_.scheme == "http" && next.scheme == "https";
    if (!upgrade) {
      response_.without_credentials =
          response_.without_credentials || find_header(request_.headers, "Authorization") != nullptr;
      request_.private_headers.clear();
    }
    std::erase_if(request_.headers, [&](const auto& header) {
      const bool secret = base::same_word(header.first, "Authorization") || base::same_word(header.first, "Cookie");
      return (secret && !upgrade) || base::same_word(header.first, "Host");
    });
  }
  response_.effective_url = url;
  response_.body.clear();
  response_.body_size = 0;
  response_.headers.clear();
  response_.address.clear();
  verification_.reset();
  began_resolving_ = {};
  deadline_ = multi_.loop.at(request_.deadline, [this] { on_deadline(); });
  begin();
  return true;
}

void CurlHttpClient::Multi::Transfer::on_deadline() {
  if (!running_) return complete(Reason::dns_error, fmt::format("no answer about {} in time", connect_to_.host));
  CURL* e = easy_.get();
  const Progress progress = progress_of(e, tls());
  curl_off_t sent = 0;
  curl_easy_getinfo(e, CURLINFO_SIZE_UPLOAD_T, &sent);
  const bool body_left = !redirected_to_get_ && sent < static_cast<curl_off_t>(request_.body.size());
  collect();
  // curl counts a connection as made only when TLS is done, too; TLS begins when the connection is made.
  const bool connected = progress.connected || verification_ != nullptr;
  if (!connected) return complete(Reason::connect_timeout, fmt::format("connect to {}: timed out", where()));
  if (!progress.tls_done)
    return complete(Reason::tls_handshake, fmt::format("TLS handshake with {}: timed out", where()));
  if (!progress.request_sent || body_left)
    return complete(Reason::send_timeout, fmt::format("{} did not take the request in time", where()));
  if (response_.status == 0) return complete(Reason::read_timeout, fmt::format("no answer from {} in time", where()));
  complete(Reason::read_timeout, fmt::format("{} did not end its answer in time", where()));
}

void CurlHttpClient::Multi::Transfer::leave() {
  resolving_.reset();
  deadline_.reset();
  if (easy_ == nullptr) return;
  if (running_) curl_multi_remove_handle(multi_.curl, easy_.get());
  running_ = false;
  multi_.give_back(std::move(easy_), request_.reuse_connection);
}

void CurlHttpClient::Multi::Transfer::fail_soon(Reason reason, std::string text) {
  deadline_ = multi_.loop.at(multi_.loop.now(),
                             [this, reason, text = std::move(text)]() mutable { complete(reason, std::move(text)); });
}

// May destroy this object.
void CurlHttpClient::Multi::Transfer::complete(Reason reason, std::string text) {
  response_.reason = reason;
  response_.text = std::move(text);
  leave();
  const auto done = std::move(done_);
  done(std::move(response_));
}

}  // namespace http
