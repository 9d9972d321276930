#include "web/server/refusals.h"

#include <fmt/format.h>

#include "base/log.h"

namespace web {
namespace {

constexpr std::array<const char*, Refusals::kNames.size()> kWords{
    "connections were closed: their requests did not come in time",
    "connections were closed: their answers were not taken in time",
    "connections were closed: no TLS, or no certificate that is wanted here",
    "connections were closed: too many from one address",
    "requests were refused: too many connections, or no worker in time",
    "requests were refused: they are not HTTP, or not clear",
    "requests were refused: they are too large",
    "requests were refused: wrong name or password",
    "requests were refused: too many passwords wait for their check",
    "requests of /probe were refused: too many runs are going on"};

}  // namespace

void Refusals::count(Reason reason, std::string_view who) {
  const auto at = static_cast<std::size_t>(reason);
  const std::uint64_t count = ++counts_.at(at);
  const base::Instant now = base::Clock::now();
  std::uint64_t since = 0;
  {
    const std::lock_guard lock(mutex_);
    Told& told = told_.at(at);
    if (told.at != base::Instant{} && now - told.at < kLogEvery) return;
    since = count - told.count;
    told = {now, count};
  }
  base::log::warn(kWords.at(at), {{"reason", kNames.at(at)},
                                  {"count", fmt::to_string(since)},
                                  {"last", who.empty() ? std::string("unknown") : std::string(who)}});
}

}  // namespace web
