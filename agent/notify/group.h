// Alerts that are told together by one route, for one receiver.
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

  std::string route = "{}";                      // Route::key
  model::Labels labels;                          // those of the route's group_by
  std::map<model::Labels, model::Alert> alerts;  // firing, and resolved for a while
  std::map<std::string, Notified> told;          // what each target has taken, by its name; "" for messages
  std::set<std::uint64_t> silenced;              // Labels::hash() of those that were kept back at the last look
  std::set<std::uint64_t> muted;  // of these, those that no silence keeps back: inhibited, or by the time
  std::set<std::uint64_t> again;  // told before a silence and firing after it: news once more

  std::vector<model::Alert> list() const;
  std::vector<model::Alert> audible() const;  // those that nothing keeps back
  // `known` as the next message may use it: without what is silenced, and without what is to be said once more.
  Notified audible_part(Notified known) const;
  // What a receiver that knows `known` will know when it took a message with all that is audible.
  Notified after_telling(const Notified& known) const;
  // The silences have changed, or may have. An alert that fires on after its silence is told again; what was told
  // before its silence, and has resolved during it, is still to be told as resolved. What was only muted is told once.
  void silence(std::set<std::uint64_t> now, std::set<std::uint64_t> muted_now);
  bool fires() const;
  bool is_about(std::string_view service) const;  // one of its alerts is
  bool told_anybody() const;
  // Forgets what resolved long ago; not those in `keep`, whose end is still to be told.
  void prune(base::WallTime now, const std::set<std::uint64_t>& keep);
};

// As Alertmanager writes it: {}/{severity="page"}:{alertname="Down", service="order"}
std::string group_key(const std::string& route, const model::Labels& group);
// By which the receiver's groups and its queue know it: of the root route only the labels.
std::string group_name(const std::string& route, const model::Labels& group);

std::string to_json(const Group& group);
base::Result<Group> parse_group(const std::string& json);
// A part of records.
std::string to_json(const Notified& known);
base::Result<Notified> parse_notified(const std::string& json);

}  // namespace notify
