// Finding the secrets that are known in a text, in all the codings in which a peer repeats what it was told.
#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>

#include "base/ascii.h"
#include "base/base64.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/text.h"

namespace base {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::size_t kSecretFileLimit = 64 * 1024;
constexpr std::size_t kLong = 6;      // one as long as this is found within other words, too
constexpr std::size_t kCodable = 4;   // one that is shorter has codings that are ordinary words and numbers
constexpr std::size_t kSureCode = 8;  // a part of a longer base64 text is looked for from this length on
constexpr std::size_t kToken = 12;    // a segment of a path as long as this may be a secret

std::string hex_of(std::string_view bytes, std::string_view digits) {
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    (out += digits[byte >> 4U]) += digits[byte & 15U];
  }
  return out;
}

// How one character of a secret may stand in a text: the bytes that are taken there, for each way that fits.
class Character {
 public:
  explicit Character(std::string_view bytes) : bytes_(bytes) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])); };
    rune_ = byte(0);
    if (bytes.size() > 1) rune_ &= 0x7fU >> bytes.size();
    for (std::size_t i = 1; i < bytes.size(); ++i) rune_ = rune_ << 6U | (byte(i) & 0x3fU);
  }

  template <typename Take>
  void match(std::string_view text, const Take& take) const {
    if (text.empty()) return;
    if (text.starts_with(bytes_)) take(bytes_.size());
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
          number(rest.substr(before.size(), 2), 16) != static_cast<std::uint32_t>(static_cast<unsigned char>(c)))
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
    static constexpr std::array<std::pair<std::string_view, char>, 12> kNames{{{"amp", '&'},
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
    for (const auto& [known, c] : kNames)
      if (same_word(name, known) && rune_ == static_cast<unsigned char>(c)) return take(end + 1);
    if (!name.starts_with('#')) return;
    name.remove_prefix(1);
    const bool hex = name.starts_with('x') || name.starts_with('X');
    if (number(name.substr(hex ? 1 : 0), hex ? 16 : 10) == rune_) take(end + 1);
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
    if (rune_ < 0x10000) return unit == rune_ ? take(6) : void();
    const std::string_view second = text.substr(6);
    if (!second.starts_with("\\u") || second.size() < 6) return;
    const std::uint32_t past = rune_ - 0x10000;
    if (unit == 0xd800 + (past >> 10U) && number(second.substr(2, 4), 16) == 0xdc00 + (past & 0x3ffU)) take(12);
  }

  // More than any character has for what is no number.
  static std::uint32_t number(std::string_view digits, std::uint32_t base) {
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

  std::string_view bytes_;
  std::uint32_t rune_ = 0;
};

// Takes one secret out of texts.
class Blotter {
 public:
  explicit Blotter(std::string_view value) : value_(value) {
    while (!value.empty()) {
      const std::size_t length = std::max<std::size_t>(utf8_length(value), 1);
      characters_.emplace_back(value.substr(0, length));
      value.remove_prefix(length);
    }
  }

  void blot(std::string& text) {
    for (std::size_t at = 0; (at = text.find_first_of(starts(), at)) != std::string::npos;) {
      const std::size_t end = match(text, at);
      if (end == 0 || !stands_alone(text, at, end)) {
        ++at;
        continue;
      }
      text.replace(at, end - at, kHidden);
      at += kHidden.size();
    }
  }

 private:
  std::string_view starts() {
    if (starts_.empty()) (starts_ = "%&+\\") += value_[0];
    return starts_;
  }

  // The end of the longest way to read the secret there; 0 if there is none.
  std::size_t match(std::string_view text, std::size_t at) {
    ends_.assign(1, at);
    for (const Character& character : characters_) {
      next_.clear();
      for (const std::size_t from : ends_)
        character.match(text.substr(from), [&](std::size_t taken) {
          if (std::find(next_.begin(), next_.end(), from + taken) == next_.end()) next_.push_back(from + taken);
        });
      if (next_.empty()) return 0;
      ends_.swap(next_);
    }
    return *std::max_element(ends_.begin(), ends_.end());
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

// What base64 of a longer text has of the value, if it begins at the first, second or third byte of a group: without
// the letters that depend on its neighbours.
std::string_view inner_base64(std::string_view coded, std::size_t shift, std::size_t size) {
  const std::size_t begin = shift == 0 ? 0 : shift + 1;
  const std::size_t end = (shift + size) * 8 / 6;
  return end < begin + kSureCode ? std::string_view() : coded.substr(begin, end - begin);
}

// The value and its codings as a whole, none that is longer than `most` bytes.
void add_codings(std::string_view value, std::size_t most, std::vector<std::string>& out) {
  if (value.size() > most) return;
  out.emplace_back(value);
  if (value.size() < kCodable) return;
  const auto add = [&](std::string_view coded) {
    if (!coded.empty() && coded.size() <= most) out.emplace_back(coded);
  };
  add(hex_of(value, "0123456789abcdef"));
  add(hex_of(value, "0123456789ABCDEF"));
  for (const Base64Alphabet alphabet : {Base64Alphabet::standard, Base64Alphabet::url})
    for (std::size_t shift = 0; shift < 3; ++shift) {
      const std::string padded = base64_encode(std::string(shift, '\0').append(value), alphabet);
      const std::string_view coded = std::string_view(padded).substr(0, padded.find('='));
      if (shift == 0) {
        add(coded);
        if (coded.size() < padded.size()) add(padded);
      }
      add(inner_base64(coded, shift, value.size()));
    }
}

// The longest first, so that none is left of which another is a part.
void tidy(std::vector<std::string>& values) {
  std::sort(values.begin(), values.end(),
            [](const auto& a, const auto& b) { return a.size() != b.size() ? a.size() > b.size() : a < b; });
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

bool looks_like_token(std::string_view segment) {
  if (segment.size() < kToken) return false;
  const bool digits = std::any_of(segment.begin(), segment.end(), is_digit);
  const auto has = [&](int (*is)(int)) {
    return std::any_of(segment.begin(), segment.end(), [&](char c) { return is(static_cast<unsigned char>(c)) != 0; });
  };
  return has(std::isalpha) && (digits || (has(std::isupper) && has(std::islower)));
}

// "user:password" of the second word of an Authorization header; "" for what is none.
std::string login_in(std::string_view value) {
  if (value.size() < kSureCode) return "";
  std::string out = base64_decode(value, Base64Form::any).value_or("");
  const bool printable = std::all_of(out.begin(), out.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  const std::size_t colon = out.find(':');
  return printable && colon != std::string::npos && colon > 0 && colon + 1 < out.size() ? out : "";
}

std::string content_of(const std::string& file) {
  return file.empty() ? "" : read_file(file, kSecretFileLimit).value_or("");
}

}  // namespace

void KnownSecrets::add(std::string_view value) {
  value = trim(value, kBlanks);
  // Text with a variable in it is a pattern; what a peer hears is something else.
  if (value.empty() || value == kHidden || value.find("${") != std::string_view::npos) return;
  if (std::find(values_.begin(), values_.end(), value) == values_.end()) values_.emplace_back(value);
  if (const std::string login = login_in(value); !login.empty()) {
    add(login);
    add(std::string_view(login).substr(login.find(':') + 1));
  }
}

void KnownSecrets::add_file(std::string path) {
  if (!path.empty()) files_.push_back(std::move(path));
}

void KnownSecrets::add(const KnownSecrets& others) {
  values_.insert(values_.end(), others.values_.begin(), others.values_.end());
  files_.insert(files_.end(), others.files_.begin(), others.files_.end());
  logins_.insert(logins_.end(), others.logins_.begin(), others.logins_.end());
  tidy(values_);
}

void KnownSecrets::add_path(std::string_view url) {
  const std::size_t host = url.find("://");
  if (host == std::string_view::npos) return;
  const std::size_t begin = url.find_first_of("/?#", host + 3);
  if (begin == std::string_view::npos) return;
  url.remove_prefix(begin);
  const std::string_view path = url.substr(0, url.find_first_of("?#"));
  if (path.size() >= kToken && std::any_of(path.begin(), path.end(), is_digit)) {
    add(url);
    add(path);
  }
  for (std::string_view rest = path; !rest.empty();) {
    const std::string_view segment = take_until(rest, '/');
    if (looks_like_token(segment)) add(segment);
  }
}

void KnownSecrets::add_login(Login login) {
  if ((login.user.empty() && login.user_file.empty()) || (login.password.empty() && login.password_file.empty()))
    return;
  if (login.user_file.empty() && login.password_file.empty()) return add(login.user + ":" + login.password);
  logins_.push_back(std::move(login));
}

std::string KnownSecrets::blotted(std::string text) const {
  if (text.empty() || empty()) return text;
  KnownSecrets all;
  all.values_ = values_;
  for (const std::string& file : files_) {
    const std::string content = content_of(file);
    all.add(content);
    for (std::string_view rest = content; !rest.empty();) all.add(take_line(rest));
  }
  for (const Login& login : logins_) {
    const std::string user = login.user_file.empty() ? login.user : content_of(login.user_file);
    const std::string password = login.password_file.empty() ? login.password : content_of(login.password_file);
    if (!trim(password, kBlanks).empty())
      all.add(std::string(trim(user, kBlanks)).append(":").append(trim(password, kBlanks)));
  }
  std::vector<std::string> codings;
  for (const std::string& value : all.values_) add_codings(value, text.size(), codings);
  tidy(codings);
  for (const std::string& value : codings) Blotter(value).blot(text);
  return text;
}

}  // namespace base
