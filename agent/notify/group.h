// Alerts that are told together: one name and one service, for one receiver.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/alert.h"
#include "notify/dedup.h"

namespace notify {

struct Group {
  static constexpr base::Millis kKeepResolved{15 * 60 * 1000};  // as long as Prometheus tells that one resolved

  model::Labels labels;                          // alertname and, if the alerts have one, service
  std::map<model::Labels, model::Alert> alerts;  // firing, and resolved for a while
  Notified last;                                 // what was told
  std::set<std::uint64_t> silenced;              // Labels::hash() of those that were under a silence at the last look

  std::vector<model::Alert> list() const;
  std::vector<model::Alert> audible() const;  // those under no silence
  Notified audible_last() const;
  // The silences have changed, or may have. An alert that fires on after its silence is told again; what was told
  // before its silence, and has resolved during it, is still to be told as resolved.
  void silence(std::set<std::uint64_t> now);
  // A message with all that is audible was made.
  void told_audible();
  bool fires() const;
  bool told() const { return !last.firing.empty() || !last.resolved.empty(); }
  // Forgets what resolved long ago and was told.
  void prune(base::WallTime now);
};

model::Labels group_labels(const model::Alert& alert);
// As Alertmanager writes it, with the root route: {}:{alertname="Down", service="order"}
std::string group_key(const model::Labels& group);

std::string to_json(const Group& group);
base::Result<Group> parse_group(const std::string& json);

}  // namespace notify
