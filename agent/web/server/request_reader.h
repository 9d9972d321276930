// Reads requests off a connection, byte by byte if need be: head and body, until all is there (RFC 9112). What is not
// clear is refused, so that the server behind cannot read it in another way. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace web {

// A whole request, as it is handed on.
struct WholeRequest {
  std::string method;
  std::string target;  // /path?query; * of OPTIONS
  // As sent; without those that are about the connection or the body's form.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;  // without chunks
  bool keep_alive = false;
  bool http_1_0 = false;  // whose clients must be told that the connection stays

  std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }
  std::string_view header(std::string_view name) const;  // any case; "" if absent
  // For a server that reads the same protocol; `first` is a header, or none.
  std::string bytes(const std::string& first) const;
};

class RequestReader {
 public:
  static constexpr std::size_t kMostHead = 32 * 1024;
  static constexpr std::size_t kMostBody = 1024 * 1024;
  static constexpr std::size_t kMostHeaders = 60;  // CivetWeb reads 64

  enum class State {
    nothing,  // not one byte of a request
    partly,
    whole,
    refused,  // nothing that follows can be read
  };

  void add(std::string_view bytes) { left_ += bytes; }
  std::size_t unread() const { return left_.size(); }
  // Goes on with what was added.
  State look();
  // True once for a request whose client wants to hear "100 Continue" before it sends the body.
  bool wants_continue();
  // After whole; the next request begins.
  WholeRequest take();
  // After refused.
  int status() const { return status_; }
  const std::string& why() const { return why_; }

 private:
  enum class At { head, sized_body, chunk_size, chunk, chunk_end, trailers, whole, refused };

  bool step();  // false: more bytes are needed, or it is over
  bool read_head();
  bool read_request_line(std::string_view line);
  bool read_header(std::string_view line);
  bool settle();  // what the headers say about the body and the connection
  bool read_chunk_size();
  bool refuse(int status, std::string why);
  bool take_line(std::string_view& line, std::size_t most, const char* of);

  At at_ = At::head;
  std::string left_;
  std::size_t used_ = 0;      // of left_; goes when look() is over
  std::size_t searched_ = 0;  // of left_, for the end of a line
  WholeRequest request_;
  std::size_t head_size_ = 0;
  std::size_t body_left_ = 0;
  std::size_t trailers_ = 0;
  bool continue_ = false;
  bool absolute_ = false;  // the first Host header is the URL's
  int status_ = 0;
  std::string why_;
};

}  // namespace web
