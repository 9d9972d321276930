// The tree of routes: which receivers hear of an alert, and which alerts are told together. Alertmanager's own keys,
// their inheritance and the order of the search (version 0.25). Pure.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "config/schema.h"
#include "model/labels.h"
#include "notify/route/matchers.h"

namespace notify {

struct Route {
  std::string key = "{}";  // its matchers and those above it, with which group keys begin: {}/{severity="page"}
  std::string receiver;
  bool group_by_all = false;  // group_by: ['...']
  std::vector<std::string> group_by;
  base::Millis group_wait{30'000}, group_interval{5 * 60'000};
  base::Millis repeat_interval{4 * 3'600'000};  // 0: what was told is not told again
  Matchers matchers;
  bool goes_on = false;  // continue: the siblings after it are asked, too
  std::vector<std::string> mute_time_intervals, active_time_intervals;
  std::vector<Route> routes;

  // The labels by which an alert with these is grouped.
  model::Labels group_labels(const model::Labels& alert) const;
};

// As the file has it, before the routes below inherit.
struct RouteSettings {
  std::string receiver;
  std::optional<std::vector<std::string>> group_by;
  std::optional<base::Millis> group_wait, group_interval, repeat_interval;
  Matchers matchers;
  bool goes_on = false;
  std::vector<std::string> mute_time_intervals, active_time_intervals;
  std::vector<RouteSettings> routes;
  config::Node place;
  std::string path;
};

RouteSettings parse_route(const config::Node& node, const std::string& path, config::Errors& errors);
const std::vector<config::KeyReference>& route_reference();

// Of the root and all below it: with what they inherit.
Route route_of(const RouteSettings& root);

// The routes that an alert with these labels takes, in order; none only if the root does not match.
std::vector<const Route*> routes_of(const Route& root, const model::Labels& alert);

}  // namespace notify
