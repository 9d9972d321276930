#include "app/audit/alert_gaps.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "app/node/probe_text.h"
#include "app/samples.h"
#include "notify/route/possible_routes.h"
#include "rules/tools/possible_alerts.h"

namespace app {
namespace {

using Names = std::vector<std::string>;

constexpr const char* kPage = "FettlePage";  // what a plan tells people by itself
constexpr std::size_t kMostNamed = 6;

// An alert as far as it is known before it fires.
struct Ahead {
  std::string name, service;  // "": of none, or of any
  notify::KnownLabel label;
};

std::string few(const std::set<std::string>& names) {
  Names shown(names.begin(), names.end());
  if (shown.size() <= kMostNamed) return fmt::format("{}", fmt::join(shown, ", "));
  shown.resize(kMostNamed);
  return fmt::format("{} and {} others", fmt::join(shown, ", "), names.size() - kMostNamed);
}

bool names_alert(const notify::RouteSettings& route) {
  return std::any_of(route.matchers.begin(), route.matchers.end(), [](const model::Matcher& matcher) {
    return matcher.name() == "alertname" &&
           (matcher.op() == model::MatchOp::equal || matcher.op() == model::MatchOp::matches);
  });
}

class AlertAudit {
 public:
  AlertAudit(const LoadedConfig& loaded, const rules::SeriesSources& sources) : loaded_(loaded) {
    for (const auto& [name, service] : loaded.config.services) services_.push_back(name);
    read_receivers();
    read_alerts(sources);
    if (loaded.config.route.is_null()) return;
    config::Errors known;  // it has none
    root_ = notify::parse_route(loaded.config.route, "route", known);
  }

  std::vector<Finding> findings() {
    if (rules::has_alert(loaded_.groups)) look_for_rules();
    else
      add(Severity::critical, Gap::no_rule, key_mark("rule_files"), "rule_files",
          "no alert is among the rules: no person is told that a service is down",
          "rule_files: [/etc/fettle/rules/*.yml]");
    if (hearing_.empty()) {
      add(Severity::critical, Gap::no_receiver, key_mark("receivers"), "receivers",
          "no receiver is told of faults" + alerts_text(),
          "receivers: [{name: ops, webhook_configs: [{url: \"https://…\"}]}]");
    } else if (!loaded_.config.route.is_null()) {
      look_at_routes();
    }
    return std::move(findings_);
  }

 private:
  void add(Severity severity, Gap gap, config::Mark at, std::string path, std::string what, std::string fix) {
    findings_.push_back({severity, gap, std::move(at), std::move(path), std::move(what), std::move(fix)});
  }
  config::Mark key_mark(std::string_view key) const {
    const config::Node value = loaded_.config.root.find(key);
    return value.is_null() ? loaded_.config.root.mark() : value.mark();
  }

  // Those that hear of a fault while it lasts; notes of what was healed are no such thing.
  void read_receivers() {
    for (const notify::ReceiverSpec& spec : loaded_.notifications.receivers) {
      if (!spec.fallback.empty()) fallbacks_[spec.name] = spec.fallback;
      if (spec.tell == notify::Tell::healed) continue;
      hearing_.insert(spec.name);
      // An Alertmanager has routes of its own: without one of ours it is posted everything.
      const bool posts = spec.notifier->resend().count() > 0;
      if (posts && !loaded_.notifications.routing->leads_to(spec.name)) hears_all_.insert(spec.name);
    }
  }

  // As receivers have it: external labels stand beside those of the alert.
  std::optional<std::string> outward(const std::string& name, std::optional<std::string> value) const {
    const model::Labels& external = loaded_.config.global.external_labels;
    if (value && value->empty() && external.has(name)) return std::string(external.get(name));
    return value;
  }

  // A name that people have chosen, in rules or for services and probes, is no label that a server measures: an alert
  // has it from its rule, its service or a probe of that, or not at all.
  std::optional<std::string> label_of(const rules::PossibleAlert& alert, const std::string& service,
                                      const std::string& name) const {
    std::optional<std::string> value = alert.label(name);
    const auto chosen = chosen_.find(name);
    const bool open = value || chosen == chosen_.end();
    if (!open && !(service.empty() ? !chosen->second.empty() : chosen->second.contains(service))) value = "";
    return outward(name, std::move(value));
  }

  void read_alerts(const rules::SeriesSources& sources) {
    for (const std::string& name : rules::given_labels(loaded_.groups)) chosen_[name];
    for (const probe::Spec& spec : loaded_.probes)
      for (const model::Label label : spec.labels) chosen_[std::string(label.name)].insert(spec.service);
    // Of fettle_service_info, with which a rule may join.
    for (const auto& [name, service] : loaded_.config.services)
      for (const model::Label label : service.labels) chosen_[std::string(label.name)].insert(name);
    for (rules::PossibleAlert& each :
         rules::possible_alerts(loaded_.groups, sources, services_, target_labels(loaded_.config.global))) {
      const std::string service = each.label("service").value_or("");
      alerts_.push_back({each.name(), service,
                         [this, each, service](const std::string& name) { return label_of(each, service, name); }});
    }
    for (const auto& plan : loaded_.plans) {
      const model::Labels labels{{"alertname", kPage}, {"service", plan->service}, {"severity", "page"}};
      pages_.push_back({kPage, plan->service, [this, labels](const std::string& name) {
                          return outward(name, std::string(labels.get(name)));
                        }});
    }
  }

  std::string alerts_text() const {
    std::set<std::string> names;
    for (const Ahead& alert : alerts_) names.insert(alert.name);
    return names.empty() ? "" : fmt::format(": {} {} lost", few(names), names.size() == 1 ? "is" : "are");
  }

  // Without probes there is nothing to tell, which is said elsewhere.
  void look_for_rules() {
    std::set<std::string> spoken, probed;
    for (const Ahead& alert : alerts_) spoken.insert(alert.service);
    for (const probe::Spec& spec : loaded_.probes) probed.insert(spec.service);
    for (const auto& [name, service] : loaded_.config.services) {
      if (spoken.contains(name) || !probed.contains(name)) continue;
      add(Severity::critical, Gap::no_rule, service.place.mark(), config::service_path(name),
          fmt::format("no alert of rule_files can be about {}: no person is told that it is down", name),
          fmt::format("a rule such as {{alert: ServiceDown, expr: fettle_service_up{{service=\"{}\"}} == 0}}", name));
    }
  }

  static Severity severity_of(const Ahead& alert) {
    const std::string word = alert.label("severity").value_or("critical");
    if (word == "info" || word == "none") return Severity::info;
    return word == "warning" ? Severity::warning : Severity::critical;
  }

  struct Lost {
    std::set<std::string> names, services;
    std::string receiver;
    const notify::RouteSettings* route = nullptr;
  };

  void look_at_routes() {
    std::map<std::pair<Severity, std::string>, Lost> lost;  // by the route's path
    std::set<std::string> reached = hears_all_;
    for (const std::vector<Ahead>* alerts : {&alerts_, &pages_})
      for (const Ahead& alert : *alerts) look_at(alert, reached, lost);
    for (const auto& [key, each] : lost) add_lost(key.first, key.second, each);
    for (auto next = fallbacks_.begin(); next != fallbacks_.end();) {
      const bool news = reached.contains(next->first) && reached.insert(next->second).second;
      next = news ? fallbacks_.begin() : std::next(next);
    }
    look_at_receivers(reached);
  }

  void look_at(const Ahead& alert, std::set<std::string>& reached,
               std::map<std::pair<Severity, std::string>, Lost>& lost) const {
    const std::vector<notify::PossibleRoute> routes = notify::possible_routes(root_, alert.label);
    for (const notify::PossibleRoute& each : routes) reached.insert(each.receiver);
    const bool heard = !hears_all_.empty() || std::any_of(routes.begin(), routes.end(), [&](const auto& each) {
      return hearing_.contains(each.receiver) || names_alert(*each.route);
    });
    if (heard || routes.empty()) return;
    Lost& one = lost[{severity_of(alert), routes.front().route->path}];
    one.names.insert(alert.name);
    if (!alert.service.empty()) one.services.insert(alert.service);
    one.receiver = routes.front().receiver;
    one.route = routes.front().route;
  }

  void add_lost(Severity severity, const std::string& path, const Lost& lost) {
    const bool of_all = lost.services.empty() || std::all_of(services_.begin(), services_.end(), [&](const auto& name) {
                          return lost.services.contains(name);
                        });
    const bool notes = fallbacks_.contains(lost.receiver) || has_integration(lost.receiver);
    const bool one = lost.names.size() == 1;
    add(severity, Gap::no_receiver, lost.route->place.mark(), path,
        fmt::format("{}{} {} no receiver: the route leads to {}, which {}", few(lost.names),
                    of_all ? "" : " of " + few(lost.services), one ? "reaches" : "reach", lost.receiver,
                    notes ? "is told of what was healed only" : "has no integration"),
        fmt::format("routes: [{{matchers: ['alertname=~\"{}\"'], receiver: {}}}]", fmt::join(lost.names, "|"),
                    yaml_text(one_that_hears())));
  }
  // One that a route leads to already, if there is one.
  std::string one_that_hears() const {
    const auto led = std::find_if(hearing_.begin(), hearing_.end(), [&](const std::string& name) {
      return loaded_.notifications.routing->leads_to(name);
    });
    return led == hearing_.end() ? *hearing_.begin() : *led;
  }
  bool has_integration(const std::string& receiver) const {
    const auto& all = loaded_.notifications.receivers;
    return std::any_of(all.begin(), all.end(), [&](const auto& spec) { return spec.name == receiver; });
  }

  void look_at_receivers(const std::set<std::string>& reached) {
    for (std::size_t i = 0; i < loaded_.config.receivers.size(); ++i) {
      const config::Node& node = loaded_.config.receivers[i];
      const std::string name = node.find("name").scalar();
      if (reached.contains(name) || !has_integration(name)) continue;
      const bool named = loaded_.notifications.routing->leads_to(name);
      add(Severity::warning, Gap::unreachable, node.mark(), fmt::format("receivers[{}]", i),
          fmt::format("{} hears of no alert: {}", name,
                      named ? "none of rule_files takes a route to it" : "no route leads to it"),
          named ? fmt::format("the matchers of its route, or a rule with such labels")
                : fmt::format("route: {{…, routes: [{{matchers: [], receiver: {}}}]}}", yaml_text(name)));
    }
  }

  const LoadedConfig& loaded_;
  Names services_;
  std::vector<Ahead> alerts_, pages_;
  std::map<std::string, std::set<std::string>> chosen_;  // labels, with the services whose probes have them
  notify::RouteSettings root_;
  std::set<std::string> hearing_;    // receivers that are told of faults
  std::set<std::string> hears_all_;  // of these, without a route
  std::map<std::string, std::string> fallbacks_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> alert_gaps(const LoadedConfig& loaded, const rules::SeriesSources& sources) {
  return AlertAudit(loaded, sources).findings();
}

}  // namespace app
