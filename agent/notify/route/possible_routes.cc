#include "notify/route/possible_routes.h"

#include <algorithm>

namespace notify {
namespace {

enum class Fit { no, maybe, yes };

Fit fit_of(const Matchers& matchers, const KnownLabel& label) {
  Fit fit = Fit::yes;
  for (const model::Matcher& matcher : matchers) {
    const std::optional<std::string> value = label(matcher.name());
    if (!value) fit = Fit::maybe;
    else if (!matcher.matches(*value)) return Fit::no;
  }
  return fit;
}

void collect(const RouteSettings& route, const std::string& above, const KnownLabel& label,
             std::vector<PossibleRoute>& out) {
  const std::string& receiver = route.receiver.empty() ? above : route.receiver;
  Fit below = Fit::no;  // whether a route below has taken it
  for (const RouteSettings& each : route.routes) {
    const Fit fit = fit_of(each.matchers, label);
    if (fit == Fit::no) continue;
    collect(each, receiver, label, out);
    below = std::max(below, fit);
    if (fit == Fit::yes && !each.goes_on) break;
  }
  if (below != Fit::yes) out.push_back({&route, receiver});
}

}  // namespace

std::vector<PossibleRoute> possible_routes(const RouteSettings& root, const KnownLabel& label) {
  std::vector<PossibleRoute> out;
  if (fit_of(root.matchers, label) != Fit::no) collect(root, "", label, out);
  return out;
}

}  // namespace notify
