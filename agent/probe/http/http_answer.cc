#include "probe/http/http_answer.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

#include "base/ascii.h"
#include "base/text.h"
#include "probe/common/values.h"

namespace probe {
namespace {

using model::Reason;

constexpr std::size_t kHeadLimit = 64 * 1024;
constexpr std::size_t kLineLimit = 4096;

template <typename N>
bool number(std::string_view text, N& out, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

}  // namespace

HttpAnswer::State HttpAnswer::take(std::string_view bytes) {
  if (state_ != State::reading) return state_;
  buffer_ += bytes;
  while (state_ == State::reading && step()) {
  }
  return state_;
}

HttpAnswer::State HttpAnswer::end() {
  if (state_ != State::reading) return state_;
  if (part_ == Part::until_close) state_ = State::complete;
  else if (part_ == Part::head && buffer_.empty())
    fail(Reason::closed_early, "closed the connection without an answer");
  else fail(Reason::closed_early, "closed the connection before its answer was complete");
  return state_;
}

bool HttpAnswer::step() {
  std::string line;
  switch (part_) {
    case Part::head: return take_head();
    case Part::counted:
      if (!take_body(std::min(left_, buffer_.size()))) return false;
      if (left_ == 0) state_ = State::complete;
      return false;
    case Part::until_close: take_body(buffer_.size()); return false;
    case Part::chunk_size:
      if (!take_line(line)) return false;
      // What follows a semicolon is an extension.
      if (!number(base::trim(std::string_view(line).substr(0, line.find(';'))), left_, 16))
        return fail(Reason::protocol_error, "sent a chunk without a size: " + base::shown(line));
      part_ = left_ == 0 ? Part::trailer : Part::chunk;
      return true;
    case Part::chunk:
      if (!take_body(std::min(left_, buffer_.size())) || left_ > 0) return false;
      part_ = Part::chunk_end;
      return true;
    case Part::chunk_end:
      if (!take_line(line)) return false;
      if (!line.empty()) return fail(Reason::protocol_error, "sent a chunk longer than its size");
      part_ = Part::chunk_size;
      return true;
    case Part::trailer:
      if (!take_line(line)) return false;
      if (line.empty()) state_ = State::complete;
      return true;
    case Part::nothing: state_ = State::complete; return false;
  }
  return false;
}

bool HttpAnswer::take_head() {
  constexpr std::string_view protocol = "HTTP/";
  const std::size_t look = std::min(buffer_.size(), protocol.size());
  if (buffer_.compare(0, look, protocol, 0, look) != 0)
    return fail(Reason::protocol_error, "does not speak HTTP; it sent " + base::shown(buffer_));
  const std::size_t end = buffer_.find("\r\n\r\n");
  // The end may have come but for a byte.
  if (std::min(end, buffer_.size() - std::min<std::size_t>(buffer_.size(), 3)) > kHeadLimit)
    return fail(Reason::protocol_error, "sent a head of more than " + std::to_string(kHeadLimit) + " bytes");
  if (end == std::string::npos) return false;
  const std::string head = buffer_.substr(0, end + 2);
  buffer_.erase(0, end + 4);
  if (!read_head(head)) return false;
  // 100 Continue and its like come before the answer; 101 would be another protocol.
  if (response_.status < 200 && response_.status != 101) return true;
  return choose_framing();
}

bool HttpAnswer::read_head(std::string_view head) {
  response_.headers.clear();
  const std::size_t first_end = head.find("\r\n");
  const std::string_view first = head.substr(0, first_end);
  head.remove_prefix(first_end + 2);
  // HTTP/1.1 200 Reason
  const bool shaped = first.size() >= 12 && first.starts_with("HTTP/1.") && first[8] == ' ' &&
                      (first.size() == 12 || first[12] == ' ') && number(first.substr(9, 3), response_.status) &&
                      response_.status >= 100;
  if (!shaped) return fail(Reason::protocol_error, "sent a bad status line: " + base::shown(first));
  response_.version = first.substr(5, 3);
  while (!head.empty()) {
    const std::size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0)
      return fail(Reason::protocol_error, "sent a bad header line: " + base::shown(line));
    response_.headers.emplace_back(line.substr(0, colon), base::trim(line.substr(colon + 1), " \t\r"));
  }
  return true;
}

// RFC 9112, 6.3.
bool HttpAnswer::choose_framing() {
  bool chunked = false;
  for (const auto& [name, value] : response_.headers) {
    if (base::same_word(name, "Transfer-Encoding")) {
      if (!base::same_word(value, "chunked"))
        return fail(Reason::protocol_error, "uses a transfer encoding that was not offered: " + base::shown(value));
      chunked = true;
    } else if (base::same_word(name, "Content-Length")) {
      std::size_t length = 0;
      if (!number(std::string_view(value), length) || length > static_cast<std::size_t>(INT64_MAX))
        return fail(Reason::protocol_error, "sent a bad Content-Length: " + base::shown(value));
      const auto declared = static_cast<std::int64_t>(length);
      if (response_.content_length >= 0 && response_.content_length != declared)
        return fail(Reason::protocol_error, "sent two different Content-Length headers");
      response_.content_length = declared;
    }
  }
  const int status = response_.status;
  if (head_request_ || status == 101 || status == 204 || status == 304) {
    part_ = Part::nothing;
  } else if (chunked) {
    response_.content_length = -1;
    part_ = Part::chunk_size;
  } else if (response_.content_length >= 0) {
    left_ = static_cast<std::size_t>(response_.content_length);
    part_ = Part::counted;
  } else {
    part_ = Part::until_close;
  }
  return true;
}

bool HttpAnswer::take_line(std::string& line) {
  const std::size_t end = buffer_.find("\r\n");
  if (std::min(end, buffer_.size() - std::min<std::size_t>(buffer_.size(), 1)) > kLineLimit)
    return fail(Reason::protocol_error, "sent a line of more than " + std::to_string(kLineLimit) + " bytes");
  if (end == std::string::npos) return false;
  line = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  return true;
}

bool HttpAnswer::take_body(std::size_t available) {
  if (response_.body.size() + available > limit_) {
    response_.body.append(buffer_, 0, limit_ - response_.body.size());
    return fail(Reason::too_large, "sent a body of more than " + std::to_string(limit_) + " bytes");
  }
  response_.body.append(buffer_, 0, available);
  buffer_.erase(0, available);
  if (part_ != Part::until_close) left_ -= available;
  return true;
}

bool HttpAnswer::fail(Reason reason, std::string text) {
  response_.reason = reason;
  response_.text = std::move(text);
  state_ = State::failed;
  return false;
}

}  // namespace probe
