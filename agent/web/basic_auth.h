// HTTP basic authentication against bcrypt hashes (crypt(3)). Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "web/web_config.h"

namespace web {

class BasicAuth {
 public:
  explicit BasicAuth(std::vector<BasicAuthUser> users);

  bool required() const;
  // `authorization`: the header's value. An unknown user costs as much time as a wrong password.
  bool allows(std::string_view authorization);
  // Who may come in from now on; requests that are being answered go on.
  void replace(std::vector<BasicAuthUser> users);

 private:
  // bcrypt takes 50 ms and a scrape comes every few seconds, so the last good answers are kept: a keyed hash of name,
  // password and bcrypt hash, never the password.
  std::string fingerprint(std::string_view name, std::string_view password, std::string_view hash) const;

  std::string key_;
  mutable std::mutex mutex_;
  std::vector<BasicAuthUser> users_;
  std::map<std::string, bool> known_;
};

// "" for what is no base64.
std::string base64_decode(std::string_view text);

}  // namespace web
