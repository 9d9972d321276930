#include "cluster/json_answer.h"

#include <utility>

#include "base/base64.h"
#include "base/text.h"

namespace cluster {

std::string fit_to_show(std::string text, const base::KnownSecrets& secrets) {
  constexpr std::size_t kLongest = 512;
  return base::foreign_text(base::without_secrets(secrets.blotted(std::move(text))), kLongest);
}

std::string bytes_of(const json& value) { return base::base64_decode(text_of(value)).value_or(std::string()); }

}  // namespace cluster
