#include "notify/route/route.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace notify {
namespace {

constexpr std::string_view kAllLabels = "...";

using Settings = RouteSettings;
using Reader = config::Schema<Settings>::Reader;

Reader matchers_reader(void (*read)(const config::Node&, Matchers&, const std::string&, config::Errors&)) {
  return [read](const config::Node& node, Settings& route, const std::string& path, config::Errors& errors) {
    read(node, route.matchers, path, errors);
  };
}

void read_routes(const config::Node& node, Settings& route, const std::string& path, config::Errors& errors) {
  if (!node.is_sequence()) return errors.add(node.mark(), path, config::expected("a list", node));
  std::size_t i = 0;
  for (const config::Node& item : node.items())
    route.routes.push_back(parse_route(item, fmt::format("{}[{}]", path, i++), errors));
}

void check_group_by(const Settings& route, const config::Complain& complain) {
  if (!route.group_by) return;
  std::set<std::string> seen;
  for (const std::string& label : *route.group_by) {
    if (!seen.insert(label).second) complain("group_by", fmt::format("names '{}' twice", label));
    if (label == kAllLabels) {
      if (route.group_by->size() > 1) complain("group_by", "'...' stands for all labels and cannot be beside others");
    } else if (!config::is_label_name(label)) {
      complain("group_by", fmt::format("'{}' is no name of a label", label));
    }
  }
}

void check_route(const Settings& route, const config::Complain& complain) {
  check_group_by(route, complain);
  if (route.group_interval && route.group_interval->count() <= 0) complain("group_interval", "must be longer than 0s");
  if (route.repeat_interval && route.repeat_interval->count() <= 0)
    complain("repeat_interval", "must be longer than 0s");
}

const config::Schema<Settings>& schema() {
  static const auto s =
      config::Schema<Settings>("route")
          .optional("receiver", &Settings::receiver,
                    "The receiver that hears of the alerts; without it that of the route above.")
          .optional("group_by", &Settings::group_by,
                    "Labels by which alerts are grouped: those with equal values are told together. ['...']: by all "
                    "labels, each alert for itself.")
          .fallback("that of the route above; [] at the root: all alerts are one group")
          .optional("group_wait", &Settings::group_wait, "So long a new group collects alerts before it is told.")
          .fallback("that of the route above; 30s at the root")
          .optional("group_interval", &Settings::group_interval,
                    "So long after a message about a group the next one is made, if there is news.")
          .fallback("that of the route above; 5m at the root")
          .optional("repeat_interval", &Settings::repeat_interval,
                    "After so long a group that fires on without news is told again.")
          .fallback("that of the route above; 4h at the root")
          .custom("matchers",
                  "What an alert must be like to come here: ['severity=\"page\"', 'team=~\"a|b\"']; =, !=, =~ and !~, "
                  "a label that it has not is \"\". Only below the root.",
                  "[]", matchers_reader(read_matchers))
          .custom("match", "The older way: labels that must be equal.", "{}", matchers_reader(read_equal))
          .custom("match_re", "The older way: labels that must match a regular expression.", "{}",
                  matchers_reader(read_regex))
          .optional("continue", &Settings::goes_on, "Whether the routes after this one are asked, too.")
          .optional("mute_time_intervals", &Settings::mute_time_intervals,
                    "Names of time intervals during which the route does not notify. Only below the root.")
          .optional("active_time_intervals", &Settings::active_time_intervals,
                    "Names of time intervals outside of which the route does not notify. Only below the root.")
          .custom("routes", "Further routes below this one: the first that matches has the alert.", "[]", read_routes)
          .shows({"receiver", "group_by", "mute_time_intervals", "active_time_intervals"})
          .place(&Settings::place)
          .check(check_route);
  return s;
}

void inherit(const Settings& settings, const Route* above, Route& out) {
  if (above != nullptr) {
    out.receiver = above->receiver;
    out.group_by = above->group_by;
    out.group_by_all = above->group_by_all;
    out.group_wait = above->group_wait;
    out.group_interval = above->group_interval;
    out.repeat_interval = above->repeat_interval;
  }
  if (!settings.receiver.empty()) out.receiver = settings.receiver;
  if (settings.group_by && !settings.group_by->empty()) {
    out.group_by_all = settings.group_by->front() == kAllLabels;
    out.group_by = out.group_by_all ? std::vector<std::string>{} : *settings.group_by;
  }
  out.group_wait = settings.group_wait.value_or(out.group_wait);
  out.group_interval = settings.group_interval.value_or(out.group_interval);
  out.repeat_interval = settings.repeat_interval.value_or(out.repeat_interval);
}

Route made(const Settings& settings, const Route* above) {
  Route out;
  inherit(settings, above, out);
  out.matchers = settings.matchers;
  sort_matchers(out.matchers);
  out.key = (above == nullptr ? "" : above->key + "/") + to_string(out.matchers);
  out.goes_on = settings.goes_on;
  out.mute_time_intervals = settings.mute_time_intervals;
  out.active_time_intervals = settings.active_time_intervals;
  for (const Settings& below : settings.routes) out.routes.push_back(made(below, &out));
  return out;
}

}  // namespace

model::Labels Route::group_labels(const model::Labels& alert) const {
  if (group_by_all) return alert;
  std::vector<model::Label> out;
  for (const std::string& name : group_by) out.push_back({name, alert.get(name)});
  return model::Labels(std::move(out));
}

RouteSettings parse_route(const config::Node& node, const std::string& path, config::Errors& errors) {
  RouteSettings out = schema().parse(node, path, errors);
  out.path = path;
  return out;
}

const std::vector<config::KeyReference>& route_reference() { return schema().reference(); }

Route route_of(const RouteSettings& root) { return made(root, nullptr); }

std::vector<const Route*> routes_of(const Route& root, const model::Labels& alert) {
  if (!model::matches_all(root.matchers, alert)) return {};
  std::vector<const Route*> out;
  for (const Route& each : root.routes) {
    const auto below = routes_of(each, alert);
    out.insert(out.end(), below.begin(), below.end());
    if (!below.empty() && !each.goes_on) break;
  }
  if (out.empty()) out.push_back(&root);
  return out;
}

}  // namespace notify
