#include "app/audit/node_gaps.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "app/audit/watch.h"
#include "app/node/probe_choice.h"
#include "app/node/probe_text.h"

namespace app {
namespace {

using Names = std::vector<std::string>;

// Of those that send requests on: by the beginning of the program's name, and how a service says where it is there.
struct LoadBalancer {
  std::string_view program, traffic;
};
constexpr std::array kLoadBalancers{
    LoadBalancer{"nginx", R"({{nginx: {{upstream: {0}, file: /etc/nginx/fettle/{0}.conf, self: "{1}"}}}})"},
    LoadBalancer{"haproxy", "{{haproxy: {{socket: /run/haproxy/admin.sock, backend: {0}, server: {0}}}}}"},
    LoadBalancer{"envoy", "{{file: {{path: /run/fettle/drained.{0}}}}}"},
    LoadBalancer{"traefik", "{{file: {{path: /run/fettle/drained.{0}}}}}"},
};

const LoadBalancer* load_balancer(const FoundService& service) {
  const auto found = std::find_if(kLoadBalancers.begin(), kLoadBalancers.end(),
                                  [&](const LoadBalancer& each) { return service.program.starts_with(each.program); });
  return found == kLoadBalancers.end() ? nullptr : &*found;
}

bool holds(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// How people get in: systemd starts it again by itself, and a plan has no business there.
bool is_ssh_unit(const std::string& unit) {
  return unit == "ssh.service" || unit == "sshd.service" || unit.starts_with("ssh@") || unit.starts_with("sshd@");
}
bool is_ssh(const FoundService& found) { return is_ssh_unit(found.unit) || found.program == "sshd"; }

std::string place_of(const FoundPort& port) {
  const bool v6 = port.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", port.host, v6 ? "]" : "", port.port);
}

std::string title_of(const FoundService& found) {
  if (!found.unit.empty()) return found.unit;
  return found.program.empty() ? "a process that is not known" : found.program;
}

// "[{name: redis, type: redis, host: 127.0.0.1, port: 6379}]"
std::string probes_text(const FoundService& found, const std::vector<FoundPort>& ports) {
  Names texts;
  for (const FoundPort& port : ports) {
    const ChosenProbe probe = guess(found.program, port);
    texts.push_back(probe_text(probe, ports.size() == 1 ? probe.type : fmt::format("{}-{}", probe.type, port.port)));
  }
  if (!found.unit.empty() && texts.empty()) texts.emplace_back("{name: process, type: process}");
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

std::string ports_text(const std::vector<FoundPort>& ports) {
  Names texts;
  for (const FoundPort& port : ports) texts.push_back(place_of(port));
  return fmt::format("{}", fmt::join(texts, ", "));
}

class NodeAudit {
 public:
  NodeAudit(const NodeView& node, const LoadedConfig& loaded)
      : loaded_(loaded), found_(find_services(node)), watch_(node, found_, loaded) {
    for (const auto& [name, service] : loaded.config.services) services_[name] = &service;
    for (const auto& plan : loaded.plans) plans_[plan->service] = plan.get();
    for (const auto& traffic : loaded.traffic) traffic_[traffic->service] = traffic.get();
    for (const probe::Spec& spec : loaded.probes) probed_.insert(spec.service);
    for (const FoundService& each : found_.services) by_name_[each.name] = &each;
  }

  std::vector<Finding> findings() {
    for (const FoundService& each : found_.services)
      if (!is_ssh(each)) look_at(each);
    for (const FoundConnection& each : found_.connections) look_at(each);
    for (const auto& [name, service] : loaded_.config.services) look_at(name, *services_[name]);
    for (const recover::Drill& drill : loaded_.drills) look_at(*drill);
    return std::move(findings_);
  }

 private:
  static std::string path_of(const std::string& service, std::string_view key = "") {
    return config::service_path(service) + (key.empty() ? "" : "." + std::string(key));
  }
  // Where the key stands, or else the service.
  config::Mark mark_of(const std::string& service, std::string_view key = "") const {
    const config::Node& place = services_.at(service)->place;
    const config::Node value = place.find(key);
    return value.is_null() ? place.mark() : value.mark();
  }
  config::Mark services_mark() const {
    const config::Node services = loaded_.config.root.find("services");
    return services.is_null() ? loaded_.config.root.mark() : services.mark();
  }

  // Who is connected to it, by the names that the configuration has.
  Names clients_of(const FoundService& found, std::uint16_t port = 0) const {
    std::set<std::string> names;
    for (const FoundConnection& each : found_.connections)
      if (each.to == found.name && (port == 0 || port == each.port)) names.insert(told_as(*by_name_.at(each.from)));
    return {names.begin(), names.end()};
  }
  std::string told_as(const FoundService& found) const {
    const Names& names = watch_.services_of(found);
    return names.empty() ? found.name : names.front();
  }

  // Without those that the kernel gave a number, that no probe asks and to which no service is connected.
  std::vector<FoundPort> ports_of(const FoundService& found) const {
    std::vector<FoundPort> out;
    for (const FoundPort& port : found.ports)
      if (!port.ephemeral || watch_.probes(port) || !clients_of(found, port.port).empty()) out.push_back(port);
    return out;
  }

  void look_at(const FoundService& found) {
    const std::vector<FoundPort> ports = ports_of(found);
    std::vector<FoundPort> open;
    for (const FoundPort& port : ports)
      if (!watch_.probes(port)) open.push_back(port);
    const Names& names = watch_.services_of(found);
    if (!names.empty()) return look_at_ports(found, names, open);
    const bool probed = open.size() < ports.size();
    if (!probed && (!ports.empty() || found.by_administrator)) add_service(found, ports);
  }

  void look_at_ports(const FoundService& found, const Names& names, const std::vector<FoundPort>& open) {
    const bool any_probe = std::any_of(names.begin(), names.end(), [&](const auto& name) { return has_probe(name); });
    if (open.empty() || !any_probe) return;  // without a probe at all: told of the service
    const bool used = std::any_of(open.begin(), open.end(),
                                  [&](const FoundPort& port) { return !clients_of(found, port.port).empty(); });
    findings_.push_back(
        {used ? Severity::warning : Severity::info, Gap::no_probe, mark_of(names.front(), "probes"),
         path_of(names.front(), "probes"),
         fmt::format("{} listens on {} too, and no probe asks there", title_of(found), ports_text(open)),
         fmt::format("add {}", probes_text(found, open))});
  }

  void add_service(const FoundService& found, const std::vector<FoundPort>& ports) {
    const Names clients = clients_of(found);
    std::string what = title_of(found);
    what += ports.empty() ? " runs" : " listens on " + ports_text(ports);
    if (!clients.empty()) what += fmt::format(", {} is connected to it", fmt::join(clients, " and "));
    std::string name = found.name;
    while (services_.contains(name)) name += "-2";
    const std::string unit = found.unit.empty() ? "" : fmt::format("unit: {}, ", yaml_text(found.unit));
    findings_.push_back({clients.empty() ? Severity::warning : Severity::critical, Gap::no_service, services_mark(),
                         "services", what + ": no service has it, and no probe",
                         fmt::format("{}: {{{}probes: {}}}", yaml_text(name), unit, probes_text(found, ports))});
  }

  bool depends(const std::string& from, const std::string& to) const {
    return holds(services_.at(from)->depends_on, to);
  }
  // Without a circle, which the configuration refuses.
  bool reaches(const std::string& from, const std::string& to) const {
    const Names& next = services_.at(from)->depends_on;
    return from == to || std::any_of(next.begin(), next.end(), [&](const std::string& each) {
             return services_.contains(each) && reaches(each, to);
           });
  }

  void look_at(const FoundConnection& connection) {
    const FoundService &from = *by_name_.at(connection.from), &to = *by_name_.at(connection.to);
    const Names &froms = watch_.services_of(from), &tos = watch_.services_of(to);
    if (tos.empty()) return;  // told with its client
    if (const LoadBalancer* balancer = load_balancer(from)) return look_at_drain(from, to, tos, *balancer);
    if (froms.empty()) return;
    for (const std::string& client : froms)
      for (const std::string& server : tos)
        if (client == server || depends(client, server) || reaches(server, client)) return;
    const std::string &client = froms.front(), &server = tos.front();
    if (!told_.insert({client, server}).second) return;
    Names all = services_.at(client)->depends_on;
    all.push_back(server);
    for (std::string& each : all) each = yaml_text(each);
    findings_.push_back(
        {Severity::warning, Gap::no_dependency, mark_of(client, "depends_on"), path_of(client, "depends_on"),
         fmt::format("{} is connected to {} on port {}, and does not depend on it", client, server, connection.port),
         fmt::format("depends_on: [{}]", fmt::join(all, ", "))});
  }

  // A load balancer takes servers out that do not answer: it does not depend on them, but their plans have to drain.
  void look_at_drain(const FoundService& from, const FoundService& to, const Names& tos, const LoadBalancer& balancer) {
    const std::string* planned = nullptr;
    for (const std::string& name : tos) {
      if (traffic_.contains(name)) return look_at_steps(from, name);
      const auto plan = plans_.find(name);
      if (plan != plans_.end() && plan->second->first_healing()) planned = &name;
    }
    if (planned == nullptr || !told_.insert({from.name, *planned}).second) return;
    findings_.push_back({Severity::warning, Gap::no_drain, mark_of(*planned, "recovery"), path_of(*planned, "traffic"),
                         fmt::format("{} sends requests to {}, and the plan cannot drain it: it has no traffic",
                                     told_as(from), *planned),
                         fmt::format("traffic: {}", fmt::format(fmt::runtime(balancer.traffic), *planned,
                                                                place_of(to.ports.front())))});
  }

  // Places that follow the health are drained without a step.
  void look_at_steps(const FoundService& from, const std::string& name) {
    const auto plan = plans_.find(name);
    if (plan == plans_.end() || !plan->second->first_healing()) return;
    const auto& places = traffic_.at(name)->places;
    const auto& steps = plan->second->steps;
    const bool drains =
        std::any_of(steps.begin(), steps.end(), [](const recover::Step& s) { return s.action->moves_traffic(); }) ||
        std::any_of(places.begin(), places.end(), [](const auto& place) { return place->follows_health(); });
    if (drains || !told_.insert({from.name, name}).second) return;
    findings_.push_back({Severity::warning, Gap::no_drain, mark_of(name, "recovery"), path_of(name, "recovery.steps"),
                         fmt::format("{} sends requests to {}, and no step of the plan drains it", told_as(from), name),
                         "steps: [{do: drain}, …]"});
  }

  bool has_probe(const std::string& service) const {
    return probed_.contains(service) || !services_.at(service)->targets.empty();
  }

  // Of those that a found service is, one plan is enough.
  void look_at(const std::string& name, const config::Service& service) {
    if (!has_probe(name)) return add_probe(name);
    if (is_ssh_unit(service.unit) || service.unit == "fettle.service" || planned(name)) return;
    const FoundService* found = nullptr;
    for (const FoundService& each : found_.services) {
      const Names& names = watch_.services_of(each);
      if (!holds(names, name)) continue;
      if (is_ssh(each) || std::any_of(names.begin(), names.end(), [&](const auto& one) { return planned(one); }))
        return;
      found = &each;
    }
    if (found == nullptr && service.unit.empty()) return;  // of another node, or no process of its own
    const bool knows_unit = !service.unit.empty() || !found->unit.empty();
    const std::string unit =
        service.unit.empty() && knows_unit ? fmt::format("unit: {}, ", yaml_text(found->unit)) : "";
    findings_.push_back({Severity::warning, Gap::no_plan, mark_of(name), path_of(name, "recovery"),
                         fmt::format("{} is watched, and nothing mends it", name),
                         fmt::format("{}recovery: {{when: {{alert: ServiceDown}}, steps: [{{do: {}}}]}}", unit,
                                     knows_unit ? "{systemd: restart}" : "{command: {argv: [/path/to/restart]}}")});
  }
  bool planned(const std::string& name) const {
    return plans_.contains(name) || !services_.at(name)->standby.is_null();
  }

  void add_probe(const std::string& name) {
    for (const FoundService& each : found_.services) {
      if (!holds(watch_.services_of(each), name)) continue;
      findings_.push_back({Severity::critical, Gap::no_probe, mark_of(name), path_of(name, "probes"),
                           fmt::format("{} has no probe: whether it works is not known", name),
                           fmt::format("probes: {}", probes_text(each, ports_of(each)))});
      return;
    }
    findings_.push_back({Severity::critical, Gap::no_probe, mark_of(name), path_of(name, "probes"),
                         fmt::format("{} has no probe: whether it works is not known", name),
                         services_.at(name)->unit.empty() ? "probes: [{name: http, type: http, url: \"http://…\"}]"
                                                          : "probes: [{name: process, type: process}]"});
  }

  void look_at(const recover::DrillSpec& drill) {
    const auto service = services_.find(drill.service);
    if (service == services_.end()) return;
    const config::Objectives& wanted = service->second->objectives;
    if (wanted.rpo || wanted.rto) return;
    findings_.push_back(
        {Severity::info, Gap::no_objective, mark_of(drill.service), path_of(drill.service, "objectives"),
         fmt::format("drill {} measures how long a restore takes and how much is lost, and nothing says "
                     "how much may be",
                     drill.name),
         "objectives: {rto: 1h, rpo: 24h}"});
  }

  const LoadedConfig& loaded_;
  const FoundServices found_;
  const Watch watch_;
  std::map<std::string, const config::Service*> services_;
  std::map<std::string, const recover::PlanSpec*> plans_;
  std::map<std::string, const recover::TrafficSpec*> traffic_;
  std::set<std::string> probed_;  // services
  std::map<std::string, const FoundService*> by_name_;
  std::set<std::pair<std::string, std::string>> told_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> node_gaps(const NodeView& node, const LoadedConfig& loaded) {
  return NodeAudit(node, loaded).findings();
}

}  // namespace app
