#include "notify/route/routing.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/edit_distance.h"

namespace notify {
namespace {

template <typename T>
std::vector<T> parse_list(const config::Node& node, const config::Schema<T>& schema, const std::string& path,
                          config::Errors& errors) {
  std::vector<T> out;
  if (node.is_null()) return out;
  if (!node.is_sequence()) {
    errors.add(node.mark(), path, config::expected("a list", node));
    return out;
  }
  std::size_t i = 0;
  for (const config::Node& item : node.items()) {
    const std::size_t before = errors.size();
    T value = schema.parse(item, fmt::format("{}[{}]", path, i++), errors);
    if (errors.size() == before) out.push_back(std::move(value));
  }
  return out;
}

void check_names(const std::vector<NamedIntervals>& intervals, config::Errors& errors) {
  std::set<std::string> seen;
  for (const NamedIntervals& each : intervals)
    if (!seen.insert(each.name).second)
      errors.add(each.place.find("name").mark(), "time_intervals",
                 fmt::format("there is a time interval '{}' already", each.name));
}

std::vector<std::string> names_of(const std::vector<NamedIntervals>& intervals) {
  std::vector<std::string> out;
  for (const NamedIntervals& each : intervals) out.push_back(each.name);
  return out;
}

// What a route names must be there.
class References {
 public:
  References(const ReceiverNames& receivers, const std::vector<NamedIntervals>& intervals, config::Errors& errors)
      : receivers_(receivers.all.begin(), receivers.all.end()), intervals_(names_of(intervals)), errors_(errors) {}

  void check(const RouteSettings& route) const {
    if (!route.receiver.empty()) known(route, "receiver", {route.receiver}, receivers_, "receiver");
    known(route, "mute_time_intervals", route.mute_time_intervals, intervals_, "time interval");
    known(route, "active_time_intervals", route.active_time_intervals, intervals_, "time interval");
    for (const RouteSettings& below : route.routes) check(below);
  }

 private:
  void known(const RouteSettings& route, const std::string& key, const std::vector<std::string>& wanted,
             const std::vector<std::string>& there, std::string_view what) const {
    for (const std::string& name : wanted) {
      if (std::find(there.begin(), there.end(), name) != there.end()) continue;
      const std::string near = base::nearest(name, there);
      errors_.add(route.place.find(key).mark(), route.path + "." + key,
                  fmt::format("there is no {} '{}'{}", what, name,
                              near.empty() ? "" : fmt::format("; did you mean '{}'?", near)));
    }
  }

  std::vector<std::string> receivers_, intervals_;
  config::Errors& errors_;
};

void check_root(const RouteSettings& root, config::Errors& errors) {
  const auto refuse = [&](std::string_view key, std::string_view what) {
    const config::Node value = root.place.find(key);
    if (!value.is_null()) errors.add(value.mark(), fmt::format("route.{}", key), what);
  };
  if (root.receiver.empty())
    errors.add(root.place.mark(), "route", "the root must name a receiver, which hears what no other route takes");
  constexpr std::string_view kTakesAll = "the root takes every alert; write this into a route below it, under routes";
  if (!root.matchers.empty())
    for (const std::string_view key : {"matchers", "match", "match_re"}) refuse(key, kTakesAll);
  if (!root.mute_time_intervals.empty()) refuse("mute_time_intervals", kTakesAll);
  if (root.goes_on) refuse("continue", kTakesAll);
  if (!root.active_time_intervals.empty()) refuse("active_time_intervals", kTakesAll);
}

void collect(const Route& route, std::set<std::string>& names) {
  names.insert(route.receiver);
  for (const Route& below : route.routes) collect(below, names);
}

const Route* find_below(const Route& route, const std::string& key, const std::string& receiver) {
  if (route.key == key && route.receiver == receiver) return &route;
  for (const Route& below : route.routes)
    if (const Route* found = find_below(below, key, receiver)) return found;
  return nullptr;
}

}  // namespace

std::shared_ptr<const Routing> Routing::parse(const config::AgentConfig& config, ReceiverNames names,
                                              config::Errors& errors) {
  auto out = std::make_shared<Routing>();
  out->inhibit_rules_ = parse_list(config.inhibit_rules, inhibit_rule_schema(), "inhibit_rules", errors);
  out->intervals_ = parse_list(config.time_intervals, time_intervals_schema(), "time_intervals", errors);
  for (NamedIntervals& older :
       parse_list(config.mute_time_intervals, time_intervals_schema(), "mute_time_intervals", errors))
    out->intervals_.push_back(std::move(older));
  check_names(out->intervals_, errors);
  for (NamedIntervals& each : out->intervals_) each.place = {};  // it holds the whole document
  out->receivers_ = std::move(names);
  if (config.route.is_null()) return out;
  const std::size_t before = errors.size();
  const RouteSettings root = parse_route(config.route, "route", errors);
  if (errors.size() == before) {
    check_root(root, errors);
    References(out->receivers_, out->intervals_, errors).check(root);
  }
  if (errors.size() > before) return out;
  out->root_ = std::make_unique<const Route>(route_of(root));
  collect(*out->root_, out->named_);
  return out;
}

const Route& Routing::everything() {
  static const Route route = [] {
    Route out;
    out.group_by = {"alertname", "service"};
    out.group_wait = out.group_interval = out.repeat_interval = base::Millis{0};
    return out;
  }();
  return route;
}

std::vector<const Route*> Routing::routes(const std::string& receiver, const model::Labels& alert) const {
  if (root_ == nullptr) return {&everything()};
  std::vector<const Route*> out = routes_of(*root_, alert);
  std::erase_if(out, [&](const Route* route) {
    return route->receiver != receiver && !receivers_.left_out.contains(route->receiver);
  });
  return out;
}

const Route* Routing::find(const std::string& key, const std::string& receiver) const {
  if (root_ == nullptr) return key == everything().key ? &everything() : nullptr;
  return find_below(*root_, key, receiver);
}

bool Routing::has_no_receiver(const model::Labels& alert) const {
  if (root_ == nullptr) return false;
  const std::vector<const Route*> all = routes_of(*root_, alert);
  return std::all_of(all.begin(), all.end(),
                     [&](const Route* route) { return receivers_.silent.contains(route->receiver); });
}

bool Routing::in_any(const std::vector<std::string>& names, base::WallTime t) const {
  return std::any_of(intervals_.begin(), intervals_.end(), [&](const NamedIntervals& each) {
    return std::find(names.begin(), names.end(), each.name) != names.end() && each.contains(t);
  });
}

bool Routing::muted(const Route& route, base::WallTime t) const {
  return in_any(route.mute_time_intervals, t) ||
         (!route.active_time_intervals.empty() && !in_any(route.active_time_intervals, t));
}

}  // namespace notify
