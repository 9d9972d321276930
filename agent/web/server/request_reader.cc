#include "web/server/request_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/ascii.h"
#include "web/server/http.h"

namespace web {
namespace {

constexpr std::size_t kMostChunkLine = 4096;  // with its extensions
constexpr std::size_t kMostTrailers = 8192;

// Of RFC 9110, 5.6.2.
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

// No control character but the tabulator.
bool is_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

bool is_target(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte != 0x7f;
  });
}

bool lists(std::string_view header, std::string_view word) {
  while (!header.empty()) {
    const std::size_t comma = header.find(',');
    if (base::same_word(base::trim(header.substr(0, comma)), word)) return true;
    header.remove_prefix(comma == std::string_view::npos ? header.size() : comma + 1);
  }
  return false;
}

// Of the connection or of the body's form; the next hop gets its own. And "Fettle-…", which is how we speak to
// ourselves.
bool is_for_this_hop(std::string_view name) {
  constexpr std::array kNames{"Connection",        "Keep-Alive",     "Proxy-Connection",
                              "Transfer-Encoding", "Content-Length", "TE",
                              "Trailer",           "Upgrade",        "Expect"};
  return std::any_of(kNames.begin(), kNames.end(), [&](const char* each) { return base::same_word(name, each); }) ||
         base::same_word(name.substr(0, 7), "Fettle-");
}

std::optional<std::size_t> number(std::string_view text, int radix) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, radix);
  if (text.empty() || error == std::errc::invalid_argument || end != text.data() + text.size()) return std::nullopt;
  return error == std::errc{} ? value : SIZE_MAX;
}

}  // namespace

std::string_view WholeRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (base::same_word(key, name)) return value;
  return "";
}

std::string WholeRequest::bytes(const std::string& first) const {
  std::string out = fmt::format("{} {} HTTP/1.1\r\n", method, target);
  if (!first.empty()) out += first + "\r\n";
  for (const auto& [name, value] : headers) out += fmt::format("{}: {}\r\n", name, value);
  if (!body.empty() || method == "POST" || method == "PUT") out += fmt::format("Content-Length: {}\r\n", body.size());
  out += "\r\n";
  out += body;
  return out;
}

RequestReader::State RequestReader::look() {
  while (step()) {
  }
  left_.erase(0, used_);
  searched_ -= std::min(searched_, used_);
  used_ = 0;
  if (at_ == At::whole) return State::whole;
  if (at_ == At::refused) return State::refused;
  return at_ == At::head && left_.empty() && head_size_ == 0 ? State::nothing : State::partly;
}

bool RequestReader::wants_continue() { return std::exchange(continue_, false); }

WholeRequest RequestReader::take() {
  at_ = At::head;
  head_size_ = body_left_ = trailers_ = 0;
  continue_ = absolute_ = false;
  return std::exchange(request_, {});
}

bool RequestReader::refuse(int status, std::string why) {
  at_ = At::refused;
  status_ = status;
  why_ = std::move(why);
  return false;
}

// A line without its end, which is CR LF or LF alone. False while it is not all there.
bool RequestReader::take_line(std::string_view& line, std::size_t most, const char* of) {
  const std::size_t end = std::min(left_.find('\n', std::max(searched_, used_)), left_.size());
  if (end - used_ > most) return refuse(431, fmt::format("The {} is too large.", of));
  searched_ = end;
  if (end == left_.size()) return false;
  line = std::string_view(left_).substr(used_, end - used_);
  if (line.ends_with('\r')) line.remove_suffix(1);
  used_ = searched_ = end + 1;
  return true;
}

bool RequestReader::step() {
  switch (at_) {
    case At::head: return read_head();
    case At::sized_body:
    case At::chunk: {
      const std::size_t size = std::min(body_left_, left_.size() - used_);
      request_.body.append(left_, used_, size);
      used_ += size;
      body_left_ -= size;
      if (body_left_ > 0) return false;
      at_ = at_ == At::chunk ? At::chunk_end : At::whole;
      return true;
    }
    case At::chunk_end: {
      const std::string_view rest = std::string_view(left_).substr(used_);
      if (rest.empty() || rest == "\r") return false;
      const std::size_t size = rest.front() == '\r' ? 2 : 1;
      if (rest.at(size - 1) != '\n') return refuse(400, "A chunk is longer than its size says.");
      used_ += size;
      at_ = At::chunk_size;
      return true;
    }
    case At::chunk_size: return read_chunk_size();
    case At::trailers: {
      std::string_view line;
      if (!take_line(line, kMostTrailers - std::min(trailers_, kMostTrailers), "trailer")) return false;
      trailers_ += line.size() + 1;
      if (line.empty()) at_ = At::whole;
      return true;
    }
    case At::whole:
    case At::refused: return false;
  }
  return false;
}

bool RequestReader::read_chunk_size() {
  std::string_view line;
  if (!take_line(line, kMostChunkLine, "size of a chunk")) return false;
  const std::string_view digits = base::trim(line.substr(0, line.find(';')));
  const auto size = number(digits, 16);
  if (!size || !is_text(line)) return refuse(400, "The size of a chunk is no hexadecimal number.");
  if (*size > kMostBody - request_.body.size())
    return refuse(413, fmt::format("The request's body is larger than {} bytes.", kMostBody));
  body_left_ = *size;
  at_ = *size == 0 ? At::trailers : At::chunk;
  return true;
}

// Line after line; head_size_ is 0 before the request line.
bool RequestReader::read_head() {
  std::string_view line;
  if (!take_line(line, kMostHead - std::min(head_size_, kMostHead), "request's head")) return false;
  bool fine = true;
  if (head_size_ == 0) {
    // Clients of old sent an empty line after a body.
    if (!line.empty()) fine = read_request_line(line);
  } else {
    fine = line.empty() ? settle() : read_header(line);
  }
  if (!fine) return false;
  if (head_size_ > 0 || !line.empty()) head_size_ += line.size() + 1;
  return true;
}

bool RequestReader::read_request_line(std::string_view line) {
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return refuse(400, "The request line is not METHOD /path HTTP/1.1.");
  const std::string_view method = line.substr(0, first), version = line.substr(last + 1);
  std::string_view target = line.substr(first + 1, last - first - 1);
  if (!is_token(method) || !is_target(target) || !version.starts_with("HTTP/"))
    return refuse(400, "The request line is not METHOD /path HTTP/1.1.");
  if (version != "HTTP/1.1" && version != "HTTP/1.0")
    return refuse(505, fmt::format("{} is not spoken here; HTTP/1.1 is.", is_text(version) ? version : "This version"));
  request_.http_1_0 = version == "HTTP/1.0";
  request_.method = method;
  // The absolute form, as proxies send it: its host takes the place of the Host header (RFC 9112, 3.2.2).
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!base::same_word(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    const std::size_t end = target.find_first_of("/?");
    const std::string_view host = target.substr(0, end);
    if (host.empty()) return refuse(400, "The request's URL has no host.");
    request_.headers.emplace_back("Host", host);
    absolute_ = true;
    target.remove_prefix(host.size());
    request_.target = target.starts_with('/') ? std::string(target) : '/' + std::string(target);
    return true;
  }
  if (!target.starts_with('/') && !(target == "*" && method == "OPTIONS"))
    return refuse(400, "The request's target is no path.");
  request_.target = target;
  return true;
}

bool RequestReader::read_header(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
    return refuse(400, "A line of the request's head is not NAME: VALUE.");
  const std::string_view value = base::trim(line.substr(colon + 1));
  if (!is_text(value)) return refuse(400, "A header's value has a control character.");
  if (request_.headers.size() >= kMostHeaders)
    return refuse(431, fmt::format("The request has more than {} headers.", kMostHeaders));
  request_.headers.emplace_back(line.substr(0, colon), value);
  return true;
}

bool RequestReader::settle() {
  std::optional<std::string> length, coding;
  std::size_t hosts = 0;
  bool close = false, keep = false;
  for (const auto& [name, value] : request_.headers) {
    if (base::same_word(name, "Content-Length")) {
      // Also two of the same length: whoever repeats one is not to be trusted with the other (RFC 9112, 6.3).
      if (length) return refuse(400, "The request has two lengths.");
      length = value;
    } else if (base::same_word(name, "Transfer-Encoding")) {
      if (coding) return refuse(400, "The request has two transfer encodings.");
      coding = value;
    } else if (base::same_word(name, "Connection")) {
      close |= lists(value, "close");
      keep |= lists(value, "keep-alive");
    } else if (base::same_word(name, "Expect")) {
      continue_ = base::same_word(value, "100-continue") && !request_.http_1_0;
    } else if (base::same_word(name, "Host")) {
      ++hosts;
    }
  }
  if (hosts > (absolute_ ? 2U : 1U)) return refuse(400, "The request has two hosts.");
  if (length && coding) return refuse(400, "The request has a length and a transfer encoding.");
  if (coding && (request_.http_1_0 || !base::same_word(*coding, "chunked")))
    return refuse(request_.http_1_0 ? 400 : 501, "The transfer encoding must be chunked, over HTTP/1.1.");
  request_.keep_alive = !close && (!request_.http_1_0 || keep);
  bool seen_host = false;
  std::erase_if(request_.headers, [&](const auto& header) {
    if (base::same_word(header.first, "Host") && std::exchange(seen_host, true)) return true;
    return is_for_this_hop(header.first);
  });
  at_ = At::whole;
  if (coding) {
    at_ = At::chunk_size;
  } else if (length) {
    const auto size = number(*length, 10);
    if (!size) return refuse(400, "The request's length is no number.");
    if (*size > kMostBody) return refuse(413, fmt::format("The request's body is larger than {} bytes.", kMostBody));
    body_left_ = *size;
    at_ = *size == 0 ? At::whole : At::sized_body;
  }
  return true;
}

}  // namespace web
