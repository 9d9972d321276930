#include "probe/http/http_answer.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/ascii.h"
#include "base/number.h"
#include "base/text.h"
#include "http/framing.h"
#include "probe/common/values.h"

namespace probe {
namespace {

using model::Reason;

constexpr std::size_t kHeadLimit = 10 * 1024 * 1024;
constexpr std::size_t kLineLimit = 4096;
constexpr std::string_view kBlanks = " \t\r";

template <typename N>
bool number(std::string_view text, N& out, int radix = 10) {
  const auto value = base::read_number<N>(text, radix);
  out = value.value_or(out);
  return value.has_value();
}

}  // namespace

HttpAnswer::State HttpAnswer::take(std::string_view bytes) {
  if (state_ != State::reading) return state_;
  buffer_ += bytes;
  while (state_ == State::reading && step()) {
  }
  buffer_.erase(0, std::exchange(at_, 0));
  return state_;
}

HttpAnswer::State HttpAnswer::end() {
  if (state_ != State::reading) return state_;
  if (part_ == Part::until_close) state_ = State::complete;
  else if (part_ == Part::status_line && unread().empty())
    fail(Reason::closed_early, "closed the connection without an answer");
  else fail(Reason::closed_early, "closed the connection before its answer was complete");
  return state_;
}

bool HttpAnswer::step() {
  std::string_view line;
  switch (part_) {
    case Part::status_line: return take_status_line();
    case Part::header: return take_header();
    case Part::counted:
      if (!take_body(std::min(left_, unread().size()))) return false;
      if (left_ == 0) state_ = State::complete;
      return false;
    case Part::until_close: take_body(unread().size()); return false;
    case Part::chunk_size:
      if (!take_line(line, kLineLimit, "line")) return false;
      // What follows a semicolon is an extension.
      if (!number(base::trim(line.substr(0, line.find(';'))), left_, 16))
        return fail(Reason::protocol_error, "sent a chunk without a size: " + base::shown(line));
      part_ = left_ == 0 ? Part::trailer : Part::chunk;
      return true;
    case Part::chunk:
      if (!take_body(std::min(left_, unread().size())) || left_ > 0) return false;
      part_ = Part::chunk_end;
      return true;
    case Part::chunk_end:
      if (!take_line(line, kLineLimit, "line")) return false;
      if (!line.empty()) return fail(Reason::protocol_error, "sent a chunk longer than its size");
      part_ = Part::chunk_size;
      return true;
    case Part::trailer:
      if (!take_line(line, kLineLimit, "line")) return false;
      if (line.empty()) state_ = State::complete;
      return true;
    case Part::nothing: state_ = State::complete; return false;
  }
  return false;
}

bool HttpAnswer::take_status_line() {
  constexpr std::string_view protocol = "HTTP/";
  const std::size_t look = std::min(unread().size(), protocol.size());
  if (unread().substr(0, look) != protocol.substr(0, look))
    return fail(Reason::protocol_error, "does not speak HTTP; it sent " + base::shown(unread()));
  std::string_view line;
  if (!take_line(line, kHeadLimit, "head")) return false;
  // HTTP/1.1 200 Reason
  const bool versioned =
      line.size() > 9 && base::is_digit(line[5]) && line[6] == '.' && base::is_digit(line[7]) && line[8] == ' ';
  std::string_view status = versioned ? line.substr(9) : std::string_view();
  while (status.starts_with(' ')) status.remove_prefix(1);
  const bool shaped = status.size() >= 3 && (status.size() == 3 || status[3] == ' ') &&
                      number(status.substr(0, 3), response_.status) && response_.status >= 100;
  if (!shaped) return fail(Reason::protocol_error, "sent a bad status line: " + base::shown(line));
  response_.version = line.substr(5, 3);
  response_.headers.clear();
  part_ = Part::header;
  return true;
}

bool HttpAnswer::take_header() {
  std::string_view line;
  if (!take_line(line, kHeadLimit, "head")) return false;
  if (line.empty()) {
    // 100 Continue and its like come before the answer; 101 is the answer, of another protocol.
    const bool interim = response_.status < 200 && response_.status != 101;
    if (!interim) return choose_framing();
    part_ = Part::status_line;
    return true;
  }
  // A header that is folded goes on in a line that begins with white space (RFC 9112, 5.2).
  const bool folded = line.front() == ' ' || line.front() == '\t';
  if (folded && !response_.headers.empty()) {
    std::string& value = response_.headers.back().second;
    const std::string_view more = base::trim(line, kBlanks);
    if (!value.empty() && !more.empty()) value += ' ';
    value += more;
    return true;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0 || folded)
    return fail(Reason::protocol_error, "sent a bad header line: " + base::shown(line));
  response_.headers.emplace_back(base::trim(line.substr(0, colon), kBlanks),
                                 base::trim(line.substr(colon + 1), kBlanks));
  return true;
}

bool HttpAnswer::choose_framing() {
  http::Framing framing;
  std::string wrong = http::read_framing(response_.headers, framing);
  response_.content_length = framing.length;
  if (!wrong.empty()) return fail(Reason::protocol_error, std::move(wrong));
  const int status = response_.status;
  if (head_request_ || status == 101 || status == 204 || status == 304) {
    part_ = Part::nothing;
  } else if (framing.chunked) {
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

// A line without its end, which is LF or CR LF; it lasts until take() returns. The lines of a head share one limit.
bool HttpAnswer::take_line(std::string_view& line, std::size_t limit, const char* what) {
  const bool of_head = part_ == Part::status_line || part_ == Part::header;
  const std::size_t end = unread().find('\n', scanned_);
  line = unread().substr(0, end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if ((of_head ? head_size_ : 0) + line.size() > limit)
    return fail(Reason::protocol_error,
                std::string("sent a ") + what + " of more than " + std::to_string(limit) + " bytes");
  scanned_ = end == std::string_view::npos ? unread().size() : 0;
  if (end == std::string_view::npos) return false;
  at_ += end + 1;
  if (of_head) head_size_ += end + 1;
  return true;
}

bool HttpAnswer::take_body(std::size_t available) {
  const std::size_t room = limit_ - std::min(limit_, response_.body.size());
  response_.body.append(unread().substr(0, std::min(available, room)));
  response_.body_size += available;
  if (available > room && beyond_ == Beyond::fails) {
    response_.body_size = limit_;
    return fail(Reason::too_large, "sent a body of more than " + std::to_string(limit_) + " bytes");
  }
  at_ += available;
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
