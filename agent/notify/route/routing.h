// Everything that stands between an alert and a receiver in Alertmanager's configuration: route, inhibit_rules and
// time_intervals, checked against each other. Immutable once it is made.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "config/agent_config.h"
#include "notify/route/inhibit.h"
#include "notify/route/route.h"
#include "notify/route/time_interval.h"

namespace notify {

// What the receivers of the same file are, by name.
struct ReceiverNames {
  std::set<std::string> all;       // also those with mistakes
  std::set<std::string> left_out;  // have mistakes
  std::set<std::string> silent;    // have no integration: what goes there is not sent
};

class Routing {
 public:
  // Without a route every receiver hears every alert, at once, those of one name and service together, and nothing
  // twice.
  Routing() = default;

  // Mistakes go to `errors`; a part that has one is left out, and without its route every receiver hears everything.
  static std::shared_ptr<const Routing> parse(const config::AgentConfig& config, ReceiverNames names,
                                              config::Errors& errors);

  bool has_route() const { return root_ != nullptr; }
  // Some route leads to it.
  bool leads_to(const std::string& receiver) const { return named_.contains(receiver); }
  // The routes by which this receiver hears of an alert with these labels; external labels are among them. Alerts for a
  // receiver that was left out go to all others.
  std::vector<const Route*> routes(const std::string& receiver, const model::Labels& alert) const;
  // Where there is no other: every alert, at once.
  static const Route& everything();
  // Null if there is none.
  const Route* find(const std::string& key, const std::string& receiver) const;
  // Alerts with these labels reach silent receivers only.
  bool has_no_receiver(const model::Labels& alert) const;

  const std::vector<InhibitRule>& inhibit_rules() const { return inhibit_rules_; }
  bool has_time_intervals() const { return !intervals_.empty(); }
  // Whether the route says nothing at this time.
  bool muted(const Route& route, base::WallTime t) const;

 private:
  bool in_any(const std::vector<std::string>& names, base::WallTime t) const;

  std::unique_ptr<const Route> root_;
  std::vector<InhibitRule> inhibit_rules_;
  std::vector<NamedIntervals> intervals_;
  std::set<std::string> named_;  // receivers that routes name
  ReceiverNames receivers_;
};

}  // namespace notify
