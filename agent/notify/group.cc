#include "notify/group.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "model/json.h"

namespace notify {
namespace {

using nlohmann::json;

json notified_out(const Notified& known) {
  json out{{"firing", known.firing}, {"resolved", known.resolved}, {"starts", known.starts}};
  if (known.at != 0) out["at"] = known.at;
  return out;
}

Notified notified_in(const json& in) {
  Notified out{in.at("firing").get<std::set<std::uint64_t>>(), in.at("resolved").get<std::set<std::uint64_t>>()};
  out.at = in.value("at", std::int64_t{0});
  if (in.contains("starts")) out.starts = in["starts"].get<std::map<std::uint64_t, std::int64_t>>();
  return out;
}

}  // namespace

std::vector<model::Alert> Group::list() const {
  std::vector<model::Alert> out;
  for (const auto& [key, alert] : alerts) out.push_back(alert);
  return out;
}

std::vector<model::Alert> Group::audible() const {
  std::vector<model::Alert> out = list();
  std::erase_if(out, [&](const model::Alert& alert) { return silenced.contains(alert.labels.hash()); });
  return out;
}

Notified Group::audible_part(Notified known) const {
  for (const std::uint64_t hash : silenced) known.forget(hash);
  for (const auto& [key, alert] : alerts)
    if (alert.state == model::AlertState::firing && again.contains(key.hash())) known.firing.erase(key.hash());
  return known;
}

Notified Group::after_telling(const Notified& known) const {
  Notified next = said(audible());
  // The end of what nobody heard of is not told, and so it is not known.
  std::erase_if(next.resolved, [&](std::uint64_t hash) { return !known.knows(hash); });
  for (const std::uint64_t hash : silenced) {
    if (known.firing.contains(hash)) next.firing.insert(hash);
    if (known.resolved.contains(hash)) next.resolved.insert(hash);
  }
  for (const auto& [hash, start] : known.starts)
    if (!next.firing.contains(hash) || silenced.contains(hash)) next.starts[hash] = start;
  std::erase_if(next.starts, [&](const auto& entry) { return !next.knows(entry.first); });
  return next;
}

void Group::silence(std::set<std::uint64_t> now, std::set<std::uint64_t> muted_now) {
  for (const auto& [key, alert] : alerts) {
    const std::uint64_t hash = key.hash();
    if (alert.state == model::AlertState::firing && silenced.contains(hash) && !muted.contains(hash) &&
        !now.contains(hash))
      again.insert(hash);
  }
  silenced = std::move(now);
  muted = std::move(muted_now);
}

bool Group::told_anybody() const {
  return std::any_of(told.begin(), told.end(), [](const auto& entry) { return !entry.second.empty(); });
}

bool Group::fires() const {
  return std::any_of(alerts.begin(), alerts.end(),
                     [](const auto& entry) { return entry.second.state == model::AlertState::firing; });
}

bool Group::is_about(std::string_view service) const {
  return std::any_of(alerts.begin(), alerts.end(),
                     [&](const auto& entry) { return entry.second.service() == service; });
}

void Group::prune(base::WallTime now, const std::set<std::uint64_t>& keep) {
  std::erase_if(alerts, [&](const auto& entry) {
    const model::Alert& alert = entry.second;
    return alert.state != model::AlertState::firing && !keep.contains(entry.first.hash()) &&
           alert.resolved_at.value_or(alert.active_at) + kKeepResolved <= now;
  });
}

std::string group_key(const std::string& route, const model::Labels& group) { return route + ":" + group.to_string(); }

std::string group_name(const std::string& route, const model::Labels& group) {
  return route == "{}" ? group.to_string() : group_key(route, group);
}

std::string to_json(const Notified& known) { return notified_out(known).dump(); }

base::Result<Notified> parse_notified(const std::string& text) {
  try {
    return notified_in(json::parse(text));
  } catch (const json::exception& e) {
    return base::fail(base::Kind::invalid, fmt::format("what was told cannot be read: {}", e.what()));
  }
}

std::string to_json(const Group& group) {
  json alerts = json::array(), told = json::object();
  for (const auto& [key, alert] : group.alerts) alerts.push_back(model::alert_record(alert));
  for (const auto& [target, known] : group.told) told[target] = notified_out(known);
  return json{{"route", group.route},        {"labels", model::label_object(group.labels)},
              {"alerts", std::move(alerts)}, {"told", std::move(told)},
              {"silenced", group.silenced},  {"muted", group.muted},
              {"again", group.again}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

base::Result<Group> parse_group(const std::string& text) {
  try {
    const json in = json::parse(text);
    Group group;
    group.route = in.value("route", group.route);
    group.labels = model::read_labels(in.at("labels"));
    for (const json& item : in.at("alerts")) {
      model::Alert alert = model::read_alert_record(item);
      group.alerts.emplace(alert.labels, std::move(alert));
    }
    if (in.contains("told_firing"))  // as it was written before targets were told each on its own
      group.told[""] = {in["told_firing"].get<std::set<std::uint64_t>>(),
                        in.at("told_resolved").get<std::set<std::uint64_t>>()};
    else
      for (const auto& [target, known] : in.at("told").items()) group.told.emplace(target, notified_in(known));
    if (in.contains("silenced")) group.silenced = in["silenced"].get<std::set<std::uint64_t>>();
    if (in.contains("muted")) group.muted = in["muted"].get<std::set<std::uint64_t>>();
    if (in.contains("again")) group.again = in["again"].get<std::set<std::uint64_t>>();
    return group;
  } catch (const json::exception& e) {
    return base::fail(base::Kind::invalid, fmt::format("a group of alerts cannot be read: {}", e.what()));
  }
}

}  // namespace notify
