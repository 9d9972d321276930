#include "app/reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "app/loaded_config.h"
#include "base/edit_distance.h"
#include "base/terminal.h"
#include "cluster/fleet_settings.h"
#include "cluster/registry.h"
#include "discover/registry.h"
#include "notify/notifications.h"
#include "notify/registry.h"
#include "probe/kubernetes.h"
#include "probe/registry.h"
#include "recover/drill/drill_spec.h"
#include "recover/drill/fault_drill_spec.h"
#include "recover/plan/plan_spec.h"
#include "recover/registry.h"
#include "recover/standby/standby_spec.h"

namespace app {
namespace {

// "probe type http" is found as "http" too, "services.NAME recovery" as "recovery".
bool is_about(const config::ReferenceSection& section, const std::string& topic) {
  return section.title == topic || section.title.ends_with(" " + topic);
}

std::vector<std::string> topics(const std::vector<config::ReferenceSection>& sections) {
  std::vector<std::string> out;
  for (const config::ReferenceSection& section : sections) {
    std::string last = section.title.substr(section.title.rfind(' ') + 1);
    if (std::find(out.begin(), out.end(), last) == out.end()) out.push_back(std::move(last));
  }
  return out;
}

}  // namespace

std::vector<config::ReferenceSection> reference_sections() {
  std::vector<config::ReferenceSection> sections{
      {"fettle.yml", "The agent's configuration file.", config::agent_config_reference(targets_keys())}};
  const auto add = [&](std::string_view kind, std::string_view name, std::string_view summary, std::string_view example,
                       std::vector<config::KeyReference> keys) {
    sections.push_back({fmt::format("{} {}", kind, name), std::string(summary), std::move(keys), std::string(example)});
  };
  for (const discover::Type* type : discover::types())
    add("targets", type->key, type->summary, type->example, type->reference());
  for (const probe::Type* type : probe::types())
    add("probe type", type->name, type->summary, type->example, type->reference());
  add("probe", "kubernetes", "A probe in Kubernetes' words, in the place of one with a type.",
      "{name: ready, httpGet: {path: /ready, port: 8081}, periodSeconds: 5}", probe::kubernetes_probe_reference());
  add("services.NAME", "recovery", "When a service is recovered, how far, and in which steps.",
      "{when: {alert: ServiceDown}, mode: enforce, steps: [{do: {systemd: restart}, verify: {within: 30s}}]}",
      recover::plan_reference());
  for (const recover::ActionType* type : recover::action_types())
    add("action", type->name, type->summary, type->example,
        type->reference != nullptr ? type->reference() : std::vector<config::KeyReference>{});
  for (const recover::TrafficType* type : recover::traffic_types())
    add("traffic", type->name, type->summary, type->example, type->reference());
  add("drills.NAME", "drills", "A backup that is restored on trial, by itself, to prove that it can be.",
      R"yaml(service: order
windows: "Sun 02:00-05:00"
scratch: /var/lib/fettle-drills/order
restic: {repository: /srv/backup/order, password_file: /etc/fettle/restic.password}
verify: {manifest: var/lib/order/SHA256SUMS}
)yaml",
      recover::drill_reference());
  add("drills.NAME", "drills (fault)", "A fault that is rehearsed at a service, to prove that it is found and mended.",
      R"yaml(service: order
fault: hang
windows: "Tue 10:00-12:00"
)yaml",
      recover::fault_drill_reference());
  add("services.NAME", "standby", "A hot standby: which servers hold the data, and when another one is promoted.",
      R"yaml(kind: redis
members: {a: "10.0.0.1:6379", b: "10.0.0.2:6379"}
mode: ask
)yaml",
      recover::standby_reference());
  sections.push_back({"fleet", "The store that the agents of all nodes share.", cluster::fleet_reference()});
  for (const cluster::StoreType* type : cluster::store_types())
    add("store of the fleet", type->name, type->summary, type->example, type->reference());
  sections.push_back({"fleet of a service", "Its group over all nodes.", cluster::group_reference()});
  sections.push_back({"route", "Which receiver hears of which alerts, as in Alertmanager's configuration.",
                      notify::route_reference(),
                      "{receiver: ops, group_by: [service], routes: [{receiver: pager, matchers: "
                      "['severity=\"critical\"']}]}"});
  sections.push_back({"inhibit_rules", "Alerts that keep others back; a list.",
                      notify::inhibit_rule_schema().reference(),
                      "[{source_matchers: ['alertname=\"ServiceDown\"'], target_matchers: ['severity=\"warning\"'], "
                      "equal: [service]}]"});
  sections.push_back({"time_intervals", "Times at which routes notify or do not; a list.",
                      notify::time_intervals_schema().reference(),
                      "[{name: nights, time_intervals: [{times: [{start_time: \"22:00\", end_time: \"24:00\"}], "
                      "location: Europe/Berlin}]}]"});
  sections.push_back({"receivers", "Where notifications go; a list.", notify::receiver_reference(),
                      "[{name: ops, webhook_configs: [{url: \"https://hooks.example/fettle\"}]}]"});
  for (const notify::NotifierType* type : notify::notifier_types())
    add("receiver", fmt::format("{}_configs", type->name), fmt::format("{} A list of these.", type->summary),
        type->example, type->reference());
  return sections;
}

std::string reference_page() { return config::print_reference(reference_sections()); }

int print_reference(const std::string& topic) {
  std::vector<config::ReferenceSection> sections = reference_sections();
  const std::vector<std::string> known = topics(sections);
  if (!topic.empty()) std::erase_if(sections, [&](const auto& section) { return !is_about(section, topic); });
  if (sections.empty()) {
    const std::string near = base::nearest(topic, known);
    base::print(stderr, "fettle check config: the reference has no topic '{}'{} There are: {}\n", topic,
                near.empty() ? "." : fmt::format("; did you mean '{}'?", near), fmt::join(known, ", "));
    return 2;
  }
  fmt::print("{}", config::print_reference(sections));
  return 0;
}

}  // namespace app
