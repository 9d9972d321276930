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
  std::map<std::string, Notified> told;          // what each target has taken, by its name; "" for messages
  std::set<std::uint64_t> silenced;              // Labels::hash() of those that were under a silence at the last look
  std::set<std::uint64_t> again;                 // told before a silence and firing after it: news once more

  std::vector<model::Alert> list() const;
  std::vector<model::Alert> audible() const;  // those under no silence
  // `known` as the next message may use it: without what is silenced, and without what is to be said once more.
  Notified audible_part(Notified known) const;
  // What a receiver that knows `known` will know when it took a message with all that is audible.
  Notified after_telling(const Notified& known) const;
  // The silences have changed, or may have. An alert that fires on after its silence is told again; what was told
  // before its silence, and has resolved during it, is still to be told as resolved.
  void silence(std::set<std::uint64_t> now);
  bool fires() const;
  bool told_anybody() const;
  // Forgets what resolved long ago; not those in `keep`, whose end is still to be told.
  void prune(base::WallTime now, const std::set<std::uint64_t>& keep);
};

model::Labels group_labels(const model::Alert& alert);
// As Alertmanager writes it, with the root route: {}:{alertname="Down", service="order"}
std::string group_key(const model::Labels& group);

std::string to_json(const Group& group);
base::Result<Group> parse_group(const std::string& json);
// A part of records.
std::string to_json(const Notified& known);
base::Result<Notified> parse_notified(const std::string& json);

}  // namespace notify
