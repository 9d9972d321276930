#include "encoding/json.h"

#include <array>
#include <charconv>

#include "base/rune.h"
#include "base/text.h"

namespace encoding {
namespace {

void escape(std::uint32_t rune, std::string& out) {
  const auto unit = [&](std::uint32_t value) {
    constexpr std::string_view kHex = "0123456789abcdef";
    out += "\\u";
    for (const unsigned shift : {12U, 8U, 4U, 0U}) out += kHex[value >> shift & 15U];
  };
  if (rune < 0x10000) return unit(rune);
  unit(0xd800U + ((rune - 0x10000U) >> 10U));
  unit(0xdc00U + ((rune - 0x10000U) & 0x3ffU));
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
    const std::size_t length = base::utf8_length(text.substr(i));
    if (length == 0) {
      out_ += "\\ufffd";
      ++i;
      continue;
    }
    if (c == '"' || c == '\\') (out_ += '\\') += c;
    else if (c == '\n') out_ += "\\n";
    else if (c == '\r') out_ += "\\r";
    else if (c == '\t') out_ += "\\t";
    else if (c >= 0 && c < 0x20) escape(static_cast<std::uint32_t>(c), out_);
    else if (c == '<' || c == '>' || c == '&') escape(static_cast<std::uint32_t>(c), out_);
    else if (const std::uint32_t rune = base::steering_rune(text.substr(i, length))) escape(rune, out_);
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

std::string readable_json(std::string_view text) {
  std::string out = base::valid_utf8(text);
  for (std::size_t at = out.find('\\'); at != std::string::npos; at = out.find('\\', at)) {
    const auto unit = base::utf16_escape(std::string_view(out).substr(at));
    if (!unit || *unit < 0xd800 || *unit > 0xdfff) {
      at += 2;
      continue;
    }
    const auto next = base::utf16_escape(std::string_view(out).substr(at + 6));
    const bool paired = *unit < 0xdc00 && next && *next >= 0xdc00 && *next <= 0xdfff;
    if (!paired) out.replace(at + 2, 4, "fffd");
    at += paired ? 12 : 6;
  }
  return out;
}

}  // namespace encoding
