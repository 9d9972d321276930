#include "probe/http/plain_http.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/host_port.h"
#include "base/number.h"
#include "http/http_client.h"
#include "loop/scheduler.h"
#include "net/stream.h"
#include "net/tls/tls.h"
#include "probe/common/values.h"

namespace probe {
namespace {

using model::Reason;

bool has_line_break(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

bool has_header(const http::HttpRequest& request, std::string_view name) {
  return http::find_header(request.headers, name) != nullptr;
}

// host, host:port, [v6]:port or [v6%25zone]:port. Nothing for what is unusual: the library answers for that.
bool read_authority(std::string_view authority, std::uint16_t usual_port, net::Dial& dial) {
  const bool bracketed = authority.starts_with("[");
  const std::size_t host_end = bracketed ? authority.find(']') : std::min(authority.find(':'), authority.size());
  if (host_end == std::string_view::npos || authority.find('@') != std::string_view::npos) return false;
  dial.host = base::host_of_url(authority.substr(bracketed ? 1 : 0, host_end - (bracketed ? 1 : 0)));
  authority.remove_prefix(host_end + (bracketed ? 1 : 0));
  dial.port = usual_port;
  if (dial.host.empty()) return false;
  if (authority.empty()) return true;
  authority.remove_prefix(1);
  dial.port = base::read_number<std::uint16_t>(authority).value_or(0);
  return dial.port != 0;
}

}  // namespace

std::optional<PlainRequest> plain_request(const http::HttpRequest& request) {
  const bool tls = request.url.starts_with("https://");
  const std::string_view scheme = tls ? "https://" : "http://";
  if (!request.url.starts_with(scheme) || !request.proxy.empty() || request.https_proxy ||
      !request.private_headers.empty() || !request.accept_encoding.empty() || request.reuse_connection ||
      request.http2 != http::Http2::no || has_line_break(request.method))
    return std::nullopt;
  for (const char c : request.url)
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f || c == '#') return std::nullopt;
  std::string_view rest = std::string_view(request.url).substr(scheme.size());
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  rest.remove_prefix(authority.size());
  // Dots in a path are for the library to resolve.
  if (rest.starts_with("?") || rest.find("/.") != std::string_view::npos) return std::nullopt;

  PlainRequest plain;
  plain.dial.family = request.family;
  if (!read_authority(authority, tls ? 443 : 80, plain.dial)) return std::nullopt;
  if (tls) {
    // The name of a certificate is another question for such hosts.
    const bool encoded = plain.dial.host.find('%') != std::string::npos && !authority.starts_with('[');
    if (!request.unix_socket.empty() || plain.dial.host.ends_with('.') || encoded) return std::nullopt;
    auto context = request.tls != nullptr ? request.tls : net::TlsContext::get({}).value_or(nullptr);
    if (context == nullptr) return std::nullopt;
    plain.dial.tls = std::move(context);
    plain.dial.tls_name = http::tls_name_of(request.headers);
    plain.dial.alpn = "http/1.1";
  }
  if (!request.unix_socket.empty()) {
    plain.dial.unix_path = request.unix_socket;
    plain.dial.host.clear();
    plain.dial.port = 0;
  }
  plain.method = request.method;
  plain.body = request.body;
  plain.body_limit = request.body_limit;
  if (request.counts_rest) plain.beyond = HttpAnswer::Beyond::counted;
  plain.head = request.method + " " + (rest.empty() ? "/" : std::string(rest)) + " HTTP/1.1\r\n";
  if (!has_header(request, "Host")) plain.head += "Host: " + base::without_zone(authority) + "\r\n";
  if (!has_header(request, "User-Agent")) plain.head += "User-Agent: fettle\r\n";
  if (!has_header(request, "Accept")) plain.head += "Accept: */*\r\n";
  if (!has_header(request, "Connection")) plain.head += "Connection: close\r\n";
  for (const auto& [name, value] : request.headers) {
    if (has_line_break(name) || has_line_break(value)) return std::nullopt;
    plain.head += name + ": " + value + "\r\n";
  }
  if (has_header(request, "Content-Length") || has_header(request, "Transfer-Encoding")) return std::nullopt;
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT")
    plain.head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  return plain;
}

PlainExchange::PlainExchange(const Context& context, const PlainRequest& request, std::string authorization,
                             base::Instant deadline, std::function<void(http::HttpResponse)> done)
    : context_(context),
      request_(request),
      authorization_(std::move(authorization)),
      done_(std::move(done)),
      answer_(request.method, request.body_limit, request.beyond) {
  net::Dial dial = request.dial;
  dial.deadline = deadline;
  connecting_ = context.dialer.connect(std::move(dial), [this](net::Connected c) { on_connected(std::move(c)); });
}

void PlainExchange::on_connected(net::Connected connected) {
  http::HttpResponse& response = answer_.response();
  response.phases = std::move(connected.phases);
  response.address = std::move(connected.address);
  response.tls_seen = connected.tls_seen;
  response.chain = std::move(connected.chain);
  if (!connected.stream) return fail(connected.failure.reason, std::move(connected.failure.text));
  stream_ = std::move(connected.stream);
  phase_began_ = context_.scheduler.now();
  std::string bytes = request_.head;
  if (!authorization_.empty()) bytes += "Authorization: " + authorization_ + "\r\n";
  bytes += "\r\n";
  bytes += request_.body;
  // A peer that answers without reading all of a request is heard; its refusal comes with the reading.
  stream_->write(std::move(bytes), nullptr);
  stream_->read([this](std::string_view b, const net::StreamFailure* failure) { on_bytes(b, failure); });
}

void PlainExchange::on_bytes(std::string_view bytes, const net::StreamFailure* failure) {
  if (!done_) return;
  if (failure) {
    if (failure->reason != Reason::read_timeout) return fail(failure->reason, failure->text);
    return fail(Reason::read_timeout, answer_.head_seen() ? stream_->peer() + " did not end its answer in time"
                                                          : "no answer from " + stream_->peer() + " in time");
  }
  if (!heard_ && !bytes.empty()) {
    heard_ = true;
    const base::Instant now = context_.scheduler.now();
    answer_.response().phases.push_back({"processing", now - phase_began_});
    phase_began_ = now;
  }
  const HttpAnswer::State state = bytes.empty() ? answer_.end() : answer_.take(bytes);
  if (state == HttpAnswer::State::reading) return;
  if (state == HttpAnswer::State::failed) answer_.response().text = stream_->peer() + " " + answer_.response().text;
  finish();
}

void PlainExchange::finish() {
  if (heard_) answer_.response().phases.push_back({"transfer", context_.scheduler.now() - phase_began_});
  const auto tell = std::exchange(done_, nullptr);
  tell(std::move(answer_.response()));
}

void PlainExchange::fail(Reason reason, std::string text) {
  if (!done_) return;
  answer_.response().reason = reason;
  answer_.response().text = std::move(text);
  finish();
}

}  // namespace probe
