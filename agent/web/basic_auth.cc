#include "web/basic_auth.h"

#include <crypt.h>
#include <sys/random.h>

#include <algorithm>
#include <memory>

#include "base/ascii.h"
#include "base/check.h"
#include "web/http.h"

namespace web {
namespace {

constexpr std::size_t kKnown = 100;
// A hash that no password has, so that unknown names are not seen by the clock.
constexpr const char* kNobody = "$2b$10$abcdefghijklmnopqrstuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu";

bool matches(const std::string& password, const std::string& hash) {
  if (password.find('\0') != std::string::npos) return false;
  const auto work = std::make_unique<crypt_data>();
  const char* made = ::crypt_r(password.c_str(), hash.c_str(), work.get());
  return made != nullptr && same_in_constant_time(made, hash);
}

}  // namespace

BasicAuth::BasicAuth(std::vector<BasicAuthUser> users) : key_(16, '\0'), users_(std::move(users)) {
  CHECK(::getrandom(key_.data(), key_.size(), 0) == static_cast<ssize_t>(key_.size()));
}

// SHA-512 crypt would be slow and OpenSSL is not ours here: the cheapest bcrypt (cost 4, under a millisecond) over the
// password with a secret salt identifies it well enough, and does not give it away.
std::string BasicAuth::fingerprint(std::string_view name, std::string_view password, std::string_view hash) const {
  constexpr std::string_view kAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::string salt = "$2b$04$";
  for (std::size_t i = 0; i < 21; ++i) salt += kAlphabet[static_cast<unsigned char>(key_[i % 16]) % 64U];
  salt += 'u';  // the last digit of 16 bytes has two bits
  const auto work = std::make_unique<crypt_data>();
  const std::string text(password);
  const char* made = ::crypt_r(text.c_str(), salt.c_str(), work.get());
  return std::string(name) + '\n' + std::string(hash) + '\n' + (made ? made : "");
}

bool BasicAuth::required() const {
  const std::lock_guard lock(mutex_);
  return !users_.empty();
}

void BasicAuth::replace(std::vector<BasicAuthUser> users) {
  const std::lock_guard lock(mutex_);
  users_ = std::move(users);
  known_.clear();
}

bool BasicAuth::allows(std::string_view authorization) {
  if (!required()) return true;
  constexpr std::string_view kScheme = "Basic ";
  if (authorization.size() < kScheme.size() || !base::same_word(authorization.substr(0, kScheme.size()), kScheme))
    return false;
  const std::string decoded = base64_decode(trim(authorization.substr(kScheme.size())));
  const std::size_t colon = decoded.find(':');
  if (colon == std::string::npos) return false;
  const std::string name = decoded.substr(0, colon);
  const std::string password = decoded.substr(colon + 1);
  if (password.find('\0') != std::string::npos) return false;
  std::string hash = kNobody;
  {
    const std::lock_guard lock(mutex_);
    const auto user =
        std::find_if(users_.begin(), users_.end(), [&](const BasicAuthUser& u) { return u.name == name; });
    if (user != users_.end()) hash = user->bcrypt;
  }
  const std::string print = fingerprint(name, password, hash);
  {
    const std::lock_guard lock(mutex_);
    if (const auto at = known_.find(print); at != known_.end()) return at->second;
  }
  const bool ok = matches(password, hash) && hash != kNobody;
  const std::lock_guard lock(mutex_);
  if (known_.size() >= kKnown) known_.clear();
  known_[print] = ok;
  return ok;
}

std::string base64_decode(std::string_view text) {
  std::string out;
  unsigned bits = 0;
  int have = 0;
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  for (const char c : text) {
    unsigned digit = 0;
    if (c >= 'A' && c <= 'Z') digit = static_cast<unsigned>(c - 'A');
    else if (c >= 'a' && c <= 'z') digit = static_cast<unsigned>(c - 'a') + 26;
    else if (c >= '0' && c <= '9') digit = static_cast<unsigned>(c - '0') + 52;
    else if (c == '+') digit = 62;
    else if (c == '/') digit = 63;
    else return "";
    bits = bits << 6U | digit;
    have += 6;
    if (have >= 8) {
      have -= 8;
      out += static_cast<char>(bits >> static_cast<unsigned>(have) & 0xffU);
    }
  }
  return out;
}

}  // namespace web
