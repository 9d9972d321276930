#include "base/secret_search.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <utility>

#include "base/ascii.h"
#include "base/base64.h"
#include "base/rune.h"
#include "base/text.h"

namespace base {
namespace {

constexpr std::size_t kLong = 6;     // a secret as long as this is found within other words, too
constexpr std::size_t kRun = 8;      // letters that may be base64 or hexadecimal digits of something
constexpr int kLayers = 3;           // one coding around another
constexpr int kStarts = 8;           // places in a run at which it may begin
constexpr std::size_t kEscape = 12;  // the longest way to write one character

// Programs' long output has the mark in a line of its own.
bool is_cut(std::string_view rest) {
  if (rest.starts_with('\n')) rest.remove_prefix(1);
  return rest.starts_with(kCutMark);
}

// More than any character has for what is no number.
std::uint32_t number(std::string_view digits, std::uint32_t base) {
  constexpr std::uint32_t kNone = 0xffffffff;
  if (digits.empty() || digits.size() > 8) return kNone;
  std::uint32_t out = 0;
  for (const char c : digits) {
    const int value = hex_digit(c);
    if (value < 0 || static_cast<std::uint32_t>(value) >= base) return kNone;
    out = out * base + static_cast<std::uint32_t>(value);
  }
  return out;
}

// Entities for what a secret may have in it.
constexpr std::array<std::pair<std::string_view, char>, 12> kNames{{{"amp", '&'},
                                                                    {"lt", '<'},
                                                                    {"gt", '>'},
                                                                    {"quot", '"'},
                                                                    {"apos", '\''},
                                                                    {"sol", '/'},
                                                                    {"plus", '+'},
                                                                    {"equals", '='},
                                                                    {"commat", '@'},
                                                                    {"colon", ':'},
                                                                    {"grave", '`'},
                                                                    {"num", '#'}}};

enum class Case { as_it_is, any };

// How one character of a secret may stand in a text: the bytes that are taken there, for each way that fits.
class Character {
 public:
  Character(std::string_view bytes, Case letters) : bytes_(bytes), letters_(letters) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])); };
    rune_ = byte(0);
    if (bytes.size() > 1) rune_ &= 0x7fU >> bytes.size();
    for (std::size_t i = 1; i < bytes.size(); ++i) rune_ = rune_ << 6U | (byte(i) & 0x3fU);
  }

  template <typename Take>
  void match(std::string_view text, const Take& take) const {
    if (text.empty()) return;
    if (text.size() >= bytes_.size() && same(text.substr(0, bytes_.size()), bytes_)) take(bytes_.size());
    switch (text[0]) {
      case '%': return each_byte(text, "%", take);
      case '+': return rune_ == ' ' ? take(1) : void();
      case '&': return entity(text, take);
      case '\\': return escape(text, take);
      default: return;
    }
  }

 private:
  // %c3%a9, \xc3\xa9
  template <typename Take>
  void each_byte(std::string_view text, std::string_view before, const Take& take) const {
    std::size_t at = 0;
    for (const char c : bytes_) {
      const std::string_view rest = text.substr(std::min(at, text.size()));
      const std::size_t end = before.size() + 2;
      if (!rest.starts_with(before) || rest.size() < end ||
          !same_rune(number(rest.substr(before.size(), 2), 16), static_cast<unsigned char>(c)))
        return;
      at += end;
    }
    take(at);
  }

  // &#47; &#x2f; &amp;
  template <typename Take>
  void entity(std::string_view text, const Take& take) const {
    const std::size_t end = text.substr(0, 12).find(';');
    if (end == std::string_view::npos) return;
    std::string_view name = text.substr(1, end - 1);
    for (const auto& [known, c] : kNames)
      if (same_word(name, known) && rune_ == static_cast<unsigned char>(c)) return take(end + 1);
    if (!name.starts_with('#')) return;
    name.remove_prefix(1);
    const bool hex = name.starts_with('x') || name.starts_with('X');
    if (same_rune(number(name.substr(hex ? 1 : 0), hex ? 16 : 10), rune_)) take(end + 1);
  }

  // \/ \" \n \u002f \x2f
  template <typename Take>
  void escape(std::string_view text, const Take& take) const {
    if (text.size() < 2) return;
    constexpr std::string_view kLetters = "nrtbf";
    constexpr std::string_view kMeant = "\n\r\t\b\f";
    const std::size_t letter = kLetters.find(text[1]);
    if (letter != std::string_view::npos && bytes_ == kMeant.substr(letter, 1)) take(2);
    if (!is_alphanumeric(text[1]) && bytes_ == text.substr(1, 1)) take(2);
    if (text[1] == 'x') each_byte(text, "\\x", take);
    if (text[1] != 'u' || text.size() < 6) return;
    const std::uint32_t unit = number(text.substr(2, 4), 16);
    if (rune_ < 0x10000) return same_rune(unit, rune_) ? take(6) : void();
    const std::string_view second = text.substr(6);
    if (!second.starts_with("\\u") || second.size() < 6) return;
    const std::uint32_t past = rune_ - 0x10000;
    if (unit == 0xd800 + (past >> 10U) && number(second.substr(2, 4), 16) == 0xdc00 + (past & 0x3ffU)) take(12);
  }

  std::uint32_t folded(std::uint32_t rune) const {
    return letters_ == Case::any && rune >= 'A' && rune <= 'Z' ? rune + ('a' - 'A') : rune;
  }
  bool same_rune(std::uint32_t a, std::uint32_t b) const { return folded(a) == folded(b); }
  bool same(std::string_view a, std::string_view b) const {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [this](char x, char y) {
      return same_rune(static_cast<unsigned char>(x), static_cast<unsigned char>(y));
    });
  }

  std::string_view bytes_;
  Case letters_;
  std::uint32_t rune_ = 0;
};

// Finds one secret, or one coding of it, in texts.
class Finder {
 public:
  explicit Finder(std::string_view value) : value_(value) {
    // A peer may write in capitals what it read; what is short is a word of its own then.
    const Case letters = value.size() < kCodableSecret ? Case::as_it_is : Case::any;
    while (!value.empty()) {
      const std::size_t length = std::max<std::size_t>(utf8_length(value), 1);
      characters_.emplace_back(value.substr(0, length), letters);
      value.remove_prefix(length);
    }
  }

  void find(std::string_view text, std::vector<TextRange>& out) {
    for (std::size_t at = 0; (at = text.find_first_of(starts(), at)) != std::string_view::npos;) {
      const std::size_t end = match(text, at);
      if (end == 0 || !stands_alone(text, at, end)) {
        ++at;
        continue;
      }
      out.push_back({at, end});
      at = end;
    }
  }

 private:
  std::string_view starts() {
    if (!starts_.empty()) return starts_;
    starts_ = "%&+\\";
    const auto first = static_cast<unsigned char>(value_[0]);
    for (const int c : {static_cast<int>(first), std::tolower(first), std::toupper(first)})
      starts_ += static_cast<char>(c);
    return starts_;
  }

  // The end of the longest way to read the secret there, or to read its beginning up to where the text was cut; 0 if
  // there is none.
  std::size_t match(std::string_view text, std::size_t at) {
    ends_.assign(1, at);
    std::size_t read = 0;
    for (const Character& character : characters_) {
      next_.clear();
      for (const std::size_t from : ends_)
        character.match(text.substr(from), [&](std::size_t taken) {
          if (std::find(next_.begin(), next_.end(), from + taken) == next_.end()) next_.push_back(from + taken);
        });
      if (next_.empty()) return read < kCodableSecret || value_.size() < kLong ? 0 : cut_end(text);
      ends_.swap(next_);
      ++read;
    }
    return *std::max_element(ends_.begin(), ends_.end());
  }

  // Where the text was cut, if one of the ends is there, or in front of a character whose escape was cut.
  std::size_t cut_end(std::string_view text) const {
    for (const std::size_t from : ends_) {
      const std::string_view rest = text.substr(from, kEscape + kCutMark.size() + 1);
      const std::size_t mark = std::min(rest.find(kCutMark), rest.size());
      const std::size_t end = mark > 0 && rest[mark - 1] == '\n' ? mark - 1 : mark;
      if (mark < rest.size() && (end == 0 || std::string_view("%&\\").find(rest[0]) != std::string_view::npos))
        return from + end;
    }
    return 0;
  }

  bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) const {
    if (value_.size() >= kLong) return true;
    if (value_.size() == 1) {
      if (begin == 0 && end == text.size()) return true;
      const bool quoted = begin > 0 && end < text.size() && text[begin - 1] == text[end];
      return quoted && (text[end] == '"' || text[end] == '\'' || text[end] == '`');
    }
    return (begin == 0 || !is_alphanumeric(text[begin - 1])) && (end == text.size() || !is_alphanumeric(text[end]));
  }

  std::string_view value_;
  std::vector<Character> characters_;
  std::string starts_;
  std::vector<std::size_t> ends_, next_;
};

// A text without one layer of coding, and where each byte of it came from.
struct Layer {
  std::string text;
  std::vector<std::size_t> from;  // of each byte, and of the end
};

// The bytes that stand for one character there, and how many are taken for it; 0: it is no coding.
std::size_t decode_one(std::string_view text, std::string& out) {
  if (text[0] == '%' && text.size() > 2) {
    const std::uint32_t byte = number(text.substr(1, 2), 16);
    if (byte > 0xff) return 0;
    out += static_cast<char>(byte);
    return 3;
  }
  if (text[0] == '&') {
    const std::size_t end = text.substr(0, 12).find(';');
    if (end == std::string_view::npos) return 0;
    const std::string_view name = text.substr(1, end - 1);
    for (const auto& [known, c] : kNames)
      if (same_word(name, known)) {
        out += c;
        return end + 1;
      }
    if (!name.starts_with('#') || name.size() < 2) return 0;
    const bool hex = name[1] == 'x' || name[1] == 'X';
    const std::uint32_t rune = number(name.substr(hex ? 2 : 1), hex ? 16 : 10);
    if (rune > 0x10ffff) return 0;
    append_rune(out, rune);
    return end + 1;
  }
  if (text[0] != '\\' || text.size() < 2) return 0;
  if (!is_alphanumeric(text[1])) {
    out += text[1];
    return 2;
  }
  const bool wide = text[1] == 'u';
  if (!wide && text[1] != 'x') return 0;
  const std::size_t digits = wide ? 4 : 2;
  if (text.size() < 2 + digits) return 0;
  const std::uint32_t rune = number(text.substr(2, digits), 16);
  if (rune > 0xffff) return 0;
  if (wide) append_rune(out, rune);
  else out += static_cast<char>(rune);
  return 2 + digits;
}

// Empty if there is nothing to take away.
Layer without_layer(std::string_view text) {
  Layer out;
  if (text.find_first_of("%&\\") == std::string_view::npos) return out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t before = out.text.size();
    const std::size_t taken = decode_one(text.substr(at), out.text);
    if (taken == 0) out.text += text[at];
    out.from.resize(out.text.size(), at);
    if (out.text.size() == before) out.text += '\0', out.from.push_back(at);
    at += std::max<std::size_t>(taken, 1);
  }
  out.from.push_back(text.size());
  if (out.text.size() == text.size()) out.text.clear();
  return out;
}

bool in_run(char c) { return is_alphanumeric(c) || c == '+' || c == '/' || c == '-' || c == '_' || c == '='; }

std::string hex_decoded(std::string_view text) {
  std::string out;
  if (text.size() % 2 != 0) return out;
  for (std::size_t at = 0; at < text.size(); at += 2) {
    const std::uint32_t byte = number(text.substr(at, 2), 16);
    if (byte > 0xff) return "";
    out += static_cast<char>(byte);
  }
  return out;
}

}  // namespace

class SecretSearch::Rep {
 public:
  explicit Rep(std::vector<std::string> codings) : codings_(std::move(codings)) {
    for (const std::string& each : codings_) finders_.emplace_back(each);
  }

  std::vector<TextRange> ranges(std::string_view text, int layers) {
    std::vector<TextRange> out;
    for (Finder& finder : finders_) finder.find(text, out);
    if (layers > 0) {
      in_runs(text, layers - 1, out);
      if (const Layer below = without_layer(text); !below.text.empty())
        for (const TextRange& found : ranges(below.text, layers - 1))
          out.push_back({below.from[found.begin], below.from[found.end]});
    }
    return merged(std::move(out));
  }

 private:
  // A run of letters that is a coding of something with a secret in it goes as a whole.
  void in_runs(std::string_view text, int layers, std::vector<TextRange>& out) {
    for (std::size_t begin = 0; begin < text.size();) {
      const auto end = static_cast<std::size_t>(
          std::find_if_not(text.begin() + static_cast<std::ptrdiff_t>(begin), text.end(), in_run) - text.begin());
      // It may follow a name or the folders of a path: "key=…", "/a/…".
      std::size_t from = begin;
      for (int tries = 0; tries < kStarts && from < end && end - from >= kRun; ++tries) {
        if (holds(text.substr(from, end - from), is_cut(text.substr(end)), layers)) {
          out.push_back({from, end});
          break;
        }
        while (from < end && is_alphanumeric(text[from])) ++from;
        while (from < end && !is_alphanumeric(text[from])) ++from;
      }
      begin = end + 1;
    }
  }

  // What was cut is read as far as its letters make whole bytes, and is cut again.
  bool holds(std::string_view run, bool cut, int layers) {
    std::string base64 =
        base64_decode(run.substr(0, cut ? run.size() / 4 * 4 : run.size()), Base64Form::any).value_or("");
    std::string hex = hex_decoded(run.substr(0, cut ? run.size() / 2 * 2 : run.size()));
    for (std::string* each : {&base64, &hex})
      if (cut && !each->empty()) each->append(kCutMark);
    return (!base64.empty() && !ranges(base64, layers).empty()) || (!hex.empty() && !ranges(hex, layers).empty());
  }

  static std::vector<TextRange> merged(std::vector<TextRange> all) {
    std::sort(all.begin(), all.end(), [](const TextRange& a, const TextRange& b) { return a.begin < b.begin; });
    std::vector<TextRange> out;
    for (const TextRange& each : all)
      if (!out.empty() && each.begin < out.back().end) out.back().end = std::max(out.back().end, each.end);
      else out.push_back(each);
    return out;
  }

  std::vector<std::string> codings_;  // the finders look into them
  std::vector<Finder> finders_;
};

SecretSearch::SecretSearch(std::vector<std::string> codings) : rep_(std::make_unique<Rep>(std::move(codings))) {}
SecretSearch::SecretSearch(SecretSearch&&) noexcept = default;
SecretSearch& SecretSearch::operator=(SecretSearch&&) noexcept = default;
SecretSearch::~SecretSearch() = default;

std::vector<TextRange> SecretSearch::find(std::string_view text) { return rep_->ranges(text, kLayers); }

}  // namespace base
