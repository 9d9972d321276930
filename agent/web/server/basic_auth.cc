#include "web/server/basic_auth.h"

#include <crypt.h>
#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <memory>

#include "base/ascii.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/number.h"
#include "crypto/hmac.h"
#include "web/server/http.h"

namespace web {
namespace {

constexpr int kLowestCost = 4;

// A hash that no password has.
std::string stand_in(int cost) {
  return fmt::format("$2b${:02}$abcdefghijklmnopqrstuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu", cost);
}

// "$2y$10$...": 10.
int cost_of(const std::string& hash) {
  if (hash.size() <= 6) return kLowestCost;
  return std::max(base::leading_number<int>(std::string_view(hash).substr(4, 2)).value_or(0), kLowestCost);
}

bool hashes_to(const std::string& password, const std::string& hash) {
  const auto work = std::make_unique<crypt_data>();
  const char* made = ::crypt_r(password.c_str(), hash.c_str(), work.get());
  return made != nullptr && same_in_constant_time(made, hash);
}

}  // namespace

BasicAuth::BasicAuth(std::vector<BasicAuthUser> users) : key_(32, '\0') {
  CHECK(::getrandom(key_.data(), key_.size(), 0) == static_cast<ssize_t>(key_.size()));
  replace(std::move(users));
}

bool BasicAuth::required() const {
  const std::lock_guard lock(mutex_);
  return !users_.empty();
}

void BasicAuth::replace(std::vector<BasicAuthUser> users) {
  const std::lock_guard lock(mutex_);
  users_ = std::move(users);
  highest_cost_ = kLowestCost;
  for (const BasicAuthUser& user : users_) highest_cost_ = std::max(highest_cost_, cost_of(user.bcrypt));
  right_.clear();
  wrong_.clear();
}

BasicAuth::Known BasicAuth::look(std::string_view authorization) const {
  const std::lock_guard lock(mutex_);
  if (users_.empty()) return {true};
  constexpr std::string_view kScheme = "Basic ";
  if (!base::same_word(authorization.substr(0, kScheme.size()), kScheme)) return {false};
  // Clients leave the padding out.
  const std::string decoded =
      base::base64_decode(base::trim(authorization.substr(kScheme.size())), base::Base64Form::unpadded).value_or("");
  const std::size_t colon = decoded.find(':');
  if (colon == std::string::npos) return {false};
  Question question;
  question.name = decoded.substr(0, colon);
  question.password = decoded.substr(colon + 1);
  if (question.password.find('\0') != std::string::npos) return {false};
  question.highest_cost = highest_cost_;
  question.hash = stand_in(highest_cost_);
  const auto user =
      std::find_if(users_.begin(), users_.end(), [&](const BasicAuthUser& u) { return u.name == question.name; });
  if (user != users_.end()) {
    question.user = true;
    question.hash = user->bcrypt;
  }
  // Neither a name nor a hash has a colon.
  question.print = crypto::hmac_sha256(key_, question.name + ':' + question.hash + ':' + question.password);
  if (const auto at = right_.find(question.name); at != right_.end() && at->second == question.print) return {true};
  if (wrong_.contains(question.print)) return {false};
  return {std::nullopt, std::move(question)};
}

bool BasicAuth::matches(const Question& question) {
  if (hashes_to(question.password, question.hash)) return question.user;
  for (const int cost : stand_ins(cost_of(question.hash), question.highest_cost))
    hashes_to(question.password, stand_in(cost));
  return false;
}

std::vector<int> BasicAuth::stand_ins(int cost, int highest) {
  std::vector<int> costs;
  for (; cost < highest; ++cost) costs.push_back(cost);
  return costs;
}

void BasicAuth::learn(const Question& question, bool right) {
  const std::lock_guard lock(mutex_);
  if (right) {
    right_[question.name] = question.print;
    return;
  }
  if (wrong_.size() >= kWrong) wrong_.clear();
  wrong_.insert(question.print);
}

bool BasicAuth::allows(std::string_view authorization) {
  const Known known = look(authorization);
  if (known.may) return *known.may;
  const bool right = matches(known.question);
  learn(known.question, right);
  return right;
}

}  // namespace web
