#include "discover/target_list.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/log.h"
#include "config/node.h"

namespace discover {
namespace {

// Who writes a list must not fill our memory with what is wrong in it.
constexpr std::size_t kMostMistakes = 1000;

void take_doubles_out(std::vector<Target>& targets) {
  const auto before = [](const Target& a, const Target& b) {
    return std::tie(a.address, a.labels) < std::tie(b.address, b.labels);
  };
  std::set<Target, decltype(before)> seen(before);
  std::erase_if(targets, [&](const Target& target) { return !seen.insert(target).second; });
}

}  // namespace

bool TargetList::take(std::vector<Target> found, base::WallTime now, std::string missing) {
  take_doubles_out(found);
  const bool others = !refreshed || found != targets;
  if (!missing.empty()) {
    targets = std::move(found);
    refreshed = now;
    return keep(std::move(missing), now) || others;
  }
  const bool was_broken = !error.empty();
  if (was_broken) base::log::info("a source of targets can be used again", {{"source", name}});
  targets = std::move(found);
  refreshed = now;
  error.clear();
  failing_since.reset();
  return others || was_broken;
}

bool TargetList::keep(std::string why, base::WallTime now) {
  why = config::first_lines(why, kMostMistakes);
  while (why.ends_with('\n')) why.pop_back();
  if (why == error) return false;
  if (!failing_since) failing_since = now;
  error = std::move(why);
  base::log::warn("a source of targets cannot be used; what it said before goes on",
                  {{"source", name},
                   {"targets", std::to_string(targets.size())},
                   {"mistakes", config::first_lines(error, config::Errors::kShown)}});
  return true;
}

}  // namespace discover
