// Passwords that must be checked, one at a time, because bcrypt is made to burn a core: beside the loop, so that
// clients that are known already do not wait. Loop thread.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "loop/blocking_pool.h"
#include "web/server/basic_auth.h"

namespace web {

class PasswordChecks {
 public:
  static constexpr std::size_t kMostWaiting = 32;      // different ones
  static constexpr std::size_t kMostFromOneOwner = 8;  // of them

  PasswordChecks(loop::BlockingPool& calls, BasicAuth& auth) : calls_(calls), auth_(auth) {}

  // `done` comes once, in a later turn, with whether it is right, none if this process cannot check it; false if there
  // is no room (then never). Who asks for the same name and password as another waits for the same check. `owner`: see
  // Room::owner_of.
  bool check(BasicAuth::Question question, const std::string& owner, std::function<void(std::optional<bool>)> done);

 private:
  struct Check {
    BasicAuth::Question question;
    std::string owner;
    std::list<std::function<void(std::optional<bool>)>> waiting;
  };
  void begin();

  loop::BlockingPool& calls_;
  BasicAuth& auth_;
  std::deque<Check> checks_;  // the first one is going on
  loop::Handle running_;
};

}  // namespace web
