#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <iterator>

namespace base {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";
constexpr std::string_view kCut = "…";

enum class LineEnds { written_out, kept };

bool plain(char c) { return c >= 0x20 && c < 0x7f; }

// Leading bytes of ASCII, 32 at a time: bodies go through here before each regular expression.
std::size_t ascii_prefix(std::string_view text) {
  constexpr std::uint64_t kHigh = 0x8080808080808080U;
  std::size_t at = 0;
  for (std::array<std::uint64_t, 4> words{}; at + sizeof words <= text.size(); at += sizeof words) {
    std::memcpy(words.data(), text.data() + at, sizeof words);
    if (((words[0] | words[1] | words[2] | words[3]) & kHigh) != 0) break;
  }
  for (std::uint64_t word = 0; at + sizeof word <= text.size(); at += sizeof word) {
    std::memcpy(&word, text.data() + at, sizeof word);
    if ((word & kHigh) != 0) break;
  }
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

std::uint32_t rune_of(std::string_view character) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(character[i])); };
  switch (character.size()) {
    case 1: return byte(0);
    case 2: return (byte(0) & 0x1fU) << 6U | (byte(1) & 0x3fU);
    case 3: return (byte(0) & 0x0fU) << 12U | (byte(1) & 0x3fU) << 6U | (byte(2) & 0x3fU);
    default: return (byte(0) & 0x07U) << 18U | (byte(1) & 0x3fU) << 12U | (byte(2) & 0x3fU) << 6U | (byte(3) & 0x3fU);
  }
}

// Controls of ASCII and of ISO 8859, marks and overrides of direction, line and paragraph ends, and tags that nobody
// sees.
bool steers(std::uint32_t rune) {
  const auto in = [rune](std::uint32_t from, std::uint32_t to) { return rune >= from && rune <= to; };
  return rune < 0x20 || in(0x7f, 0x9f) || rune == 0x61c || in(0x200e, 0x200f) || in(0x2028, 0x202e) ||
         in(0x2066, 0x2069) || rune == 0xfeff || in(0xfff9, 0xfffb) || in(0xe0000, 0xe007f);
}

std::string written_out(std::uint32_t rune) {
  if (rune == '\n') return "\\n";
  if (rune == '\r') return "\\r";
  if (rune == '\t') return "\\t";
  if (rune < 0x20) return fmt::format("\\x{:02x}", rune);
  return rune < 0x10000 ? fmt::format("\\u{:04x}", rune) : fmt::format("\\U{:08x}", rune);
}

std::string fit(std::string_view bytes, std::size_t limit, LineEnds ends) {
  std::string out;
  std::size_t room_for_mark = 0;  // of `out`, with which the mark of a cut still fits
  out.reserve(std::min(bytes.size(), limit));
  while (!bytes.empty()) {
    std::size_t taken = 1;
    std::string shown;
    std::string_view next = bytes.substr(0, 1);
    if (!plain(bytes[0])) {
      taken = utf8_length(bytes);
      next = taken == 0 ? kReplacement : bytes.substr(0, taken);
      const std::uint32_t rune = rune_of(next);
      const bool stays = ends == LineEnds::kept && (rune == '\n' || rune == '\t');
      if (!stays && steers(rune)) next = shown = written_out(rune);
      taken = taken == 0 ? 1 : taken;
    }
    if (out.size() + next.size() > limit) {
      out.resize(room_for_mark);
      if (limit >= kCut.size()) out += kCut;
      return out;
    }
    out += next;
    if (out.size() + kCut.size() <= limit) room_for_mark = out.size();
    bytes.remove_prefix(taken);
  }
  return out;
}

}  // namespace

std::uint32_t steering_rune(std::string_view character) {
  const std::uint32_t rune = rune_of(character);
  return steers(rune) ? rune : 0;
}

std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto within = [&](std::size_t i, unsigned low, unsigned high) { return byte(i) >= low && byte(i) <= high; };
  const unsigned first = byte(0);
  if (text.empty()) return 0;
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return within(1, 0x80, 0xbf) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const unsigned low = first == 0xe0 ? 0xa0 : 0x80, high = first == 0xed ? 0x9f : 0xbf;
    return within(1, low, high) && within(2, 0x80, 0xbf) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const unsigned low = first == 0xf0 ? 0x90 : 0x80, high = first == 0xf4 ? 0x8f : 0xbf;
    return within(1, low, high) && within(2, 0x80, 0xbf) && within(3, 0x80, 0xbf) ? 4 : 0;
  }
  return 0;
}

std::size_t valid_utf8_prefix(std::string_view text) {
  std::size_t at = 0;
  while (true) {
    at += ascii_prefix(text.substr(at));
    if (at == text.size()) return at;
    const std::size_t length = utf8_length(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
}

std::string valid_utf8(std::string_view bytes) {
  std::string out;
  while (true) {
    const std::size_t good = valid_utf8_prefix(bytes);
    out += bytes.substr(0, good);
    if (good == bytes.size()) return out;
    out += kReplacement;
    bytes.remove_prefix(good + 1);
  }
}

Utf8::Utf8(std::string_view bytes) : text_(bytes) {
  if (valid_utf8_prefix(bytes) == bytes.size()) return;
  repaired_ = valid_utf8(bytes);
  text_ = repaired_;
}

std::string_view cut(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0U) == 0x80U) --limit;
  return text.substr(0, limit);
}

std::string shortened(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return std::string(text);
  return limit < kCut.size() ? std::string(cut(text, limit)) : std::string(cut(text, limit - kCut.size())).append(kCut);
}

std::string first_line(std::string_view text, std::size_t limit) {
  return shortened(text.substr(0, text.find_first_of("\r\n")), limit);
}

std::string foreign_text(std::string_view bytes, std::size_t limit) { return fit(bytes, limit, LineEnds::written_out); }

std::string foreign_lines(std::string_view bytes, std::size_t limit) { return fit(bytes, limit, LineEnds::kept); }

Result<std::string> parse_comment(std::string_view bytes) {
  if (bytes.size() <= kCommentLimit) return foreign_lines(bytes, std::string::npos);
  return fail(Kind::invalid, fmt::format("the comment has {} bytes; it may have {}", bytes.size(), kCommentLimit));
}

std::string shown(std::string_view bytes) {
  constexpr std::size_t kShown = 80;
  std::string out;
  for (const char c : cut(bytes, kShown)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '.' : c;
  return "'" + out + (bytes.size() > kShown ? "…'" : "'");
}

}  // namespace base
