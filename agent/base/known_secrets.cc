// Finding the secrets that are known in a text, in all the codings in which a peer repeats what it was told.
#include <algorithm>
#include <cctype>
#include <cstdint>

#include "base/ascii.h"
#include "base/base64.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/secret_search.h"
#include "base/text.h"

namespace base {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::size_t kSecretFileLimit = 64 * 1024;
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

// What base64 of a longer text has of the value, if it begins at the first, second or third byte of a group: without
// the letters that depend on its neighbours.
std::string_view inner_base64(std::string_view coded, std::size_t shift, std::size_t size) {
  const std::size_t begin = shift == 0 ? 0 : shift + 1;
  const std::size_t end = (shift + size) * 8 / 6;
  return end < begin + kSureCode ? std::string_view() : coded.substr(begin, end - begin);
}

// The value and its codings as a whole.
void add_codings(std::string_view value, std::vector<std::string>& out) {
  out.emplace_back(value);
  if (value.size() < kCodableSecret) return;
  const auto add = [&](std::string_view coded) {
    if (!coded.empty()) out.emplace_back(coded);
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
  url = trim(url, kBlanks);
  const std::size_t host = url.find("://");
  if (host == std::string_view::npos || url.find_first_of(kBlanks) != std::string_view::npos) return;
  const std::size_t begin = url.find_first_of("/?#", host + 3);
  if (begin == std::string_view::npos) return;
  url.remove_prefix(begin);
  const std::string_view path = url.substr(0, url.find_first_of("?#"));
  if (path.size() >= kToken && std::any_of(path.begin(), path.end(), is_digit)) {
    add(url);
    add(path);
  }
  for (std::string_view rest = path; !rest.empty();) {
    const std::string_view segment = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(segment.size() + 1, rest.size()));
    if (looks_like_token(segment)) add(segment);
  }
}

void KnownSecrets::add_login(Login login) {
  if ((login.user.empty() && login.user_file.empty()) || (login.password.empty() && login.password_file.empty()))
    return;
  if (login.user_file.empty() && login.password_file.empty()) return add(login.user + ":" + login.password);
  logins_.push_back(std::move(login));
}

std::vector<std::string> KnownSecrets::codings() const {
  KnownSecrets all;
  all.values_ = values_;
  for (const std::string& file : files_) {
    const std::string content = content_of(file);
    all.add(content);
    for (std::string_view rest = content; !rest.empty();) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(line.size() + 1, rest.size()));
      all.add(line);
      all.add_path(line);
    }
  }
  for (const Login& login : logins_) {
    const std::string user = login.user_file.empty() ? login.user : content_of(login.user_file);
    const std::string password = login.password_file.empty() ? login.password : content_of(login.password_file);
    if (!trim(password, kBlanks).empty())
      all.add(std::string(trim(user, kBlanks)).append(":").append(trim(password, kBlanks)));
  }
  std::vector<std::string> codings;
  for (const std::string& value : all.values_) add_codings(value, codings);
  tidy(codings);
  return codings;
}

std::string KnownSecrets::blotted(std::string text) const { return SecretFilter(*this).blotted(std::move(text)); }

SecretFilter::SecretFilter(const KnownSecrets& secrets) : search_(secrets.codings()), empty_(secrets.empty()) {}

std::string SecretFilter::blotted(std::string text) {
  if (text.size() > KnownSecrets::kSearched) text = shortened(text, KnownSecrets::kSearched);
  if (empty_ || text.empty()) return text;
  const std::vector<TextRange> found = search_.find(text);
  for (auto range = found.rbegin(); range != found.rend(); ++range)
    text.replace(range->begin, range->end - range->begin, kHidden);
  return text;
}

}  // namespace base
