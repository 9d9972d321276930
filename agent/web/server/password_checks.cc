#include "web/server/password_checks.h"

#include <algorithm>
#include <utility>

namespace web {

bool PasswordChecks::check(BasicAuth::Question question, const std::string& owner,
                           std::function<void(std::optional<bool>)> done) {
  const auto same = std::find_if(checks_.begin(), checks_.end(),
                                 [&](const Check& each) { return each.question.print == question.print; });
  if (same != checks_.end()) {
    same->waiting.push_back(std::move(done));
    return true;
  }
  const auto own =
      std::count_if(checks_.begin(), checks_.end(), [&](const Check& each) { return each.owner == owner; });
  if (checks_.size() >= kMostWaiting || static_cast<std::size_t>(own) >= kMostFromOneOwner) return false;
  checks_.push_back({std::move(question), owner, {}});
  checks_.back().waiting.push_back(std::move(done));
  if (checks_.size() == 1) begin();
  return true;
}

void PasswordChecks::begin() {
  const auto right = std::make_shared<bool>(false);
  running_ = calls_.run(
      {"web", "password"}, [question = checks_.front().question, right] { *right = BasicAuth::matches(question); },
      [this, right](const base::Result<>& ran) {
        const Check check = std::move(checks_.front());
        checks_.pop_front();
        if (ran) auth_.learn(check.question, *right);
        if (!checks_.empty()) begin();
        for (const auto& done : check.waiting) done(ran ? std::optional(*right) : std::nullopt);
      });
}

}  // namespace web
