// Which routes an alert may take of which not every label is known. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "notify/route/route.h"

namespace notify {

// "": the alert has no such label. nullopt: any value, or none.
using KnownLabel = std::function<std::optional<std::string>(const std::string& name)>;

struct PossibleRoute {
  const RouteSettings* route;
  std::string receiver;  // its own, or that of a route above
};

// By the search of routes_of(). What is not among these is taken by no alert with these labels.
std::vector<PossibleRoute> possible_routes(const RouteSettings& root, const KnownLabel& label);

}  // namespace notify
