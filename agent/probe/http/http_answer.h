// Reads one HTTP/1.x answer as its bytes come (RFC 9112): head, interim answers, Content-Length, chunks, or all until
// the peer closes. A head is read as leniently as curl and Go read it (lines that end in LF alone, folded headers, up
// to 10 MiB of it), so that a service has one verdict whoever asks; a body strictly, where a lenient reader would call
// a broken service healthy.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "http/http_client.h"

namespace probe {

class HttpAnswer {
 public:
  enum class State { reading, complete, failed };
  // What becomes of a body that is longer than the limit: it fails, or the rest is only counted.
  enum class Beyond { fails, counted };

  // `method` decides whether a body may follow. The answer is put together in response(); on failure its reason and
  // text are set.
  HttpAnswer(std::string_view method, std::size_t body_limit, Beyond beyond = Beyond::fails)
      : head_request_(method == "HEAD"), limit_(body_limit), beyond_(beyond) {}

  State take(std::string_view bytes);
  State end();  // the peer closed its side
  http::HttpResponse& response() { return response_; }
  // The head of the answer itself, not that of an interim one.
  bool head_seen() const { return part_ > Part::header; }
  // What came after a complete answer: after a 101 it is another protocol.
  std::string_view unread() const { return std::string_view(buffer_).substr(at_); }

 private:
  enum class Part { status_line, header, counted, until_close, chunk_size, chunk, chunk_end, trailer, nothing };

  bool step();  // false: needs more bytes
  bool take_status_line();
  bool take_header();
  bool choose_framing();
  bool take_line(std::string_view& line, std::size_t limit, const char* what);
  bool take_body(std::size_t available);
  bool fail(model::Reason reason, std::string text);

  bool head_request_;
  std::size_t limit_;
  Beyond beyond_;
  Part part_ = Part::status_line;
  State state_ = State::reading;
  std::string buffer_;
  std::size_t at_ = 0;       // of the buffer, where reading goes on
  std::size_t scanned_ = 0;  // bytes from there on in which no line ends
  std::size_t head_size_ = 0;
  std::size_t left_ = 0;  // of the body or the chunk
  http::HttpResponse response_;
};

}  // namespace probe
