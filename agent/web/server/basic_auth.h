// HTTP basic authentication against bcrypt hashes (crypt(3)). Any thread.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "web/server/web_config.h"

namespace web {

class BasicAuth {
 public:
  explicit BasicAuth(std::vector<BasicAuthUser> users);

  bool required() const;
  // A name and a password that were not checked yet.
  struct Question {
    std::string name, password;
    std::string hash;      // the user's, or a stand-in that no password has
    int highest_cost = 4;  // of all users
    bool user = false;
    std::string print;  // under which the answer is kept
  };
  struct Known {
    std::optional<bool> may;  // none: `question` must be answered first
    Question question{};
  };
  // What is known without a hash; takes microseconds. `authorization`: the header's value.
  Known look(std::string_view authorization) const;
  // Takes as long for an unknown user as for a wrong password of any user: bcrypt of the highest cost in the file.
  static bool matches(const Question& question);
  // The costs of the hashes that a wrong password of a user of `cost` takes besides its own: each takes twice the time
  // of the one below, so that together they take that of `highest`.
  static std::vector<int> stand_ins(int cost, int highest);
  void learn(const Question& question, bool right);
  // All of it, on this thread.
  bool allows(std::string_view authorization);
  // Who may come in from now on; requests that are being answered go on.
  void replace(std::vector<BasicAuthUser> users);

 private:
  static constexpr std::size_t kWrong = 100;  // remembered

  std::string key_;
  mutable std::mutex mutex_;
  std::vector<BasicAuthUser> users_;
  int highest_cost_ = 4;
  // bcrypt takes 50 ms and a scrape comes every few seconds, so answers are kept: a keyed hash of name, bcrypt hash and
  // password, never the password. The right ones apart, one for each user, so that no guessing drives them out.
  std::map<std::string, std::string> right_;
  std::set<std::string> wrong_;
};

}  // namespace web
