// Reads one HTTP/1.x answer as its bytes come (RFC 9112): head, interim answers, Content-Length, chunks, or all until
// the peer closes. Strict where a lenient reader would call a broken service healthy.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "http/http_client.h"

namespace probe {

class HttpAnswer {
 public:
  enum class State { reading, complete, failed };

  // `method` decides whether a body may follow. The answer is put together in response(); on failure its reason and
  // text are set.
  HttpAnswer(std::string_view method, std::size_t body_limit) : head_request_(method == "HEAD"), limit_(body_limit) {}

  State take(std::string_view bytes);
  State end();  // the peer closed its side
  http::HttpResponse& response() { return response_; }
  bool head_seen() const { return part_ != Part::head; }

 private:
  enum class Part { head, counted, until_close, chunk_size, chunk, chunk_end, trailer, nothing };

  bool step();  // false: needs more bytes
  bool take_head();
  bool read_head(std::string_view head);
  bool choose_framing();
  bool take_line(std::string& line);
  bool take_body(std::size_t available);
  bool fail(model::Reason reason, std::string text);

  bool head_request_;
  std::size_t limit_;
  Part part_ = Part::head;
  State state_ = State::reading;
  std::string buffer_;
  std::size_t left_ = 0;  // of the body or the chunk
  http::HttpResponse response_;
};

}  // namespace probe
