// A plain HTTP/1.1 request straight over a Stream, with TLS or without: a new connection, one question, one answer.
// That is what nearly all probes of a node's own services are, and without a library in between it costs two thirds of
// the CPU time; over TLS it shares one context, which libcurl makes anew for each connection (tests/bench/probe_cost).
// Proxies, HTTP/2, kept connections and redirects stay with http::HttpClient.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "net/stream.h"
#include "probe/http/http_answer.h"
#include "probe/probe.h"

namespace probe {

struct PlainRequest {
  net::Dial dial;    // deadline is filled in by each run
  std::string head;  // request line and headers, without the empty line after them
  std::string method;
  std::string body;
  std::size_t body_limit = 0;
  HttpAnswer::Beyond beyond = HttpAnswer::Beyond::fails;
};

// The same request in this form, or nothing if it needs the library.
std::optional<PlainRequest> plain_request(const http::HttpRequest& request);

// One exchange. `done` comes once, in a later turn; dropping it closes the connection.
class PlainExchange {
 public:
  PlainExchange(const Context& context, const PlainRequest& request, std::string authorization, base::Instant deadline,
                std::function<void(http::HttpResponse)> done);

 private:
  void on_connected(net::Connected connected);
  void on_bytes(std::string_view bytes, const net::StreamFailure* failure);
  void finish();
  void fail(model::Reason reason, std::string text);

  const Context& context_;
  const PlainRequest& request_;
  std::string authorization_;
  std::function<void(http::HttpResponse)> done_;
  HttpAnswer answer_;
  loop::Handle connecting_;
  std::unique_ptr<net::Stream> stream_;
  base::Instant phase_began_{};
  bool heard_ = false;
};

}  // namespace probe
