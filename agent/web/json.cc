#include "web/json.h"

#include <array>
#include <charconv>

namespace web {
namespace {

// Length of the UTF-8 sequence that starts at text[at]; 0 if it is none (RFC 3629: no overlong forms, no surrogates).
std::size_t sequence_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U; };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xc0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (!continues(1) || !continues(2) || (first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f))
      return 0;
    return 3;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (!continues(1) || !continues(2) || !continues(3) || (first == 0xf0 && byte(1) < 0x90) ||
        (first == 0xf4 && byte(1) > 0x8f))
      return 0;
    return 4;
  }
  return 0;
}

void escape_control(char c, std::string& out) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  out += "\\u00";
  out += kHex[byte >> 4U];
  out += kHex[byte & 15U];
}

}  // namespace

void Json::separate() {
  if (!first_) out_ += ',';
  first_ = false;
}

void Json::open(char bracket) {
  separate();
  out_ += bracket;
  first_ = true;
}

Json& Json::close(char bracket) {
  out_ += bracket;
  first_ = false;
  return *this;
}

Json& Json::key(std::string_view name) {
  string(name);
  out_ += ':';
  first_ = true;
  return *this;
}

Json& Json::string(std::string_view text) {
  separate();
  out_ += '"';
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const std::size_t length = sequence_length(text, i);
    if (length == 0) {
      out_ += "\\ufffd";
      ++i;
      continue;
    }
    if (c == '"' || c == '\\') (out_ += '\\') += c;
    else if (c == '\n') out_ += "\\n";
    else if (c == '\r') out_ += "\\r";
    else if (c == '\t') out_ += "\\t";
    else if (static_cast<unsigned char>(c) < 0x20 || c == '<' || c == '>' || c == '&') escape_control(c, out_);
    else if (text.substr(i, 3) == "\xe2\x80\xa8") out_ += "\\u2028";  // line ends in JavaScript
    else if (text.substr(i, 3) == "\xe2\x80\xa9") out_ += "\\u2029";
    else out_ += text.substr(i, length);
    i += length;
  }
  out_ += '"';
  return *this;
}

Json& Json::number(double value) {
  separate();
  std::array<char, 32> text{};
  char* const end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  out_.append(text.data(), end);
  return *this;
}

Json& Json::integer(std::int64_t value) {
  separate();
  out_ += std::to_string(value);
  return *this;
}

Json& Json::boolean(bool value) { return raw(value ? "true" : "false"); }
Json& Json::null() { return raw("null"); }

Json& Json::raw(std::string_view json) {
  separate();
  out_ += json;
  return *this;
}

Json& Json::labels(const model::Labels& labels) {
  return object([&] {
    for (const model::Label label : labels) key(label.name).string(label.value);
  });
}

Json& Json::time(base::WallTime t) {
  return string(t == base::WallTime{} ? "0001-01-01T00:00:00Z" : base::format_iso8601(t));
}

}  // namespace web
