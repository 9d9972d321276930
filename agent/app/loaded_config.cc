#include "app/loaded_config.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "app/allowed_targets.h"
#include "app/config_lint.h"
#include "base/file.h"
#include "config/redact.h"
#include "discover/registry.h"
#include "model/agent_defaults.h"

namespace app {
namespace {

// Of --query.max-samples: a step that finds nothing costs a little, too.
constexpr std::size_t kSamplesPerStep = 5;

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

// A run holds one descriptor, seldom two; the rest is for the server, the state and the programs that are started.
std::size_t half_of_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return 0;
  return std::max<std::size_t>(limit.rlim_cur / 2, 1);
}

// As Prometheus calls the target that it scrapes by the node's name. Port 0 is another at each start.
std::string instance_of(const std::string& node, const std::string& listen_address) {
  const std::size_t colon = listen_address.rfind(':');
  const std::string port = colon == std::string::npos ? "" : listen_address.substr(colon);
  return node + (port.size() < 2 || port == ":0" ? model::kListenAddress : port);
}

void fill_in(config::Global& global, const std::string& listen_address) {
  if (global.node.empty()) global.node = host_name();
  if (global.instance.empty()) global.instance = instance_of(global.node, listen_address);
  if (global.evaluation_interval.count() == 0) global.evaluation_interval = global.interval;
}

std::vector<config::RuleGroup> load_rule_files(const config::AgentConfig& config, const std::string& config_file,
                                               config::RuleFormat format, config::Errors& errors) {
  const std::filesystem::path folder = std::filesystem::path(config_file).parent_path();
  const std::vector<config::Node> places = config.root.find("rule_files").items();
  std::vector<config::RuleGroup> groups;
  for (std::size_t i = 0; i < config.rule_files.size(); ++i) {
    const std::string& pattern = config.rule_files[i];
    const config::Mark at = i < places.size() ? places[i].mark() : config::Mark{config_file, 0, 0};
    const std::string absolute = (folder / pattern).string();  // an absolute pattern replaces the folder
    const std::vector<std::string> files = base::glob(absolute);
    const bool is_pattern = pattern.find_first_of("*?[") != std::string::npos;
    const std::string path = fmt::format("rule_files[{}]", i);
    if (files.empty() && is_pattern)
      errors.warn(at, path, fmt::format("no file fits the pattern {}{}", absolute, pattern_hint(absolute)));
    else if (files.empty())
      errors.add(at, path, fmt::format("there is no file {}{}", absolute, pattern_hint(absolute)));
    for (const std::string& file : files)
      for (config::RuleGroup& group : config::load_rule_file(file, errors, format)) groups.push_back(std::move(group));
  }
  return groups;
}

Discovery parse_discovery(const std::string& name, const config::Service& service, const config::TargetsEntry& entry,
                          const config::Global& global, config::Errors& errors) {
  const std::string path = fmt::format("{}.{}[{}]", config::service_path(name), entry.key, entry.at);
  // Of the file that it stands in, which may be one of include.
  const discover::Owner owner{name, std::filesystem::absolute(service.place.mark().file).parent_path().string()};
  discover::Entry source = discover::parse_entry(*discover::types().find(entry.key), entry.node, path, owner, errors);
  config::TargetTemplate own;  // without a mapping the source has complained
  if (entry.node.is_mapping()) own = config::target_template_schema().parse_beside(entry.node, path, errors);
  Discovery discovery{std::move(source), probe::ProbeTemplate(name, service, global, own, path, errors)};
  // Each target makes a configuration of its own of it; this one is read only to be shown.
  if (const probe::Type* type = discovery.probe.type()) config::expose_as(own.probe, type->reference());
  return discovery;
}

// Two elections over one server would each promote it or close it.
std::string servers_of_another(const recover::StandbySpec& standby, const std::vector<recover::Standby>& others) {
  for (const recover::Standby& other : others)
    for (const auto& [node, member] : standby.members)
      for (const auto& [theirs, known] : other->members)
        if (member == known)
          return fmt::format("{} is a server of the standby of {}, too; one service elects its primary", member.text(),
                             other->service);
  return "";
}

// What is wrong with the files of a load balancer as they are now.
void complain_about_places(const recover::TrafficSpec& traffic, const config::Service& service,
                           config::Errors& errors) {
  for (const auto& place : traffic.places)
    if (const std::string why = place->complaint(); !why.empty())
      errors.add(service.traffic.mark(), config::service_path(traffic.service) + ".traffic",
                 fmt::format("{}: {}", place->text(), why));
}

}  // namespace

const std::vector<config::TargetsKey>& targets_keys() {
  static const std::vector<config::TargetsKey> all = [] {
    std::vector<config::TargetsKey> keys;
    for (const discover::Type* type : discover::types()) keys.push_back({type->key, type->summary});
    return keys;
  }();
  return all;
}

promql::Compat compat_of(const config::AgentConfig& config) {
  return config.promql_compat == 2 ? promql::Compat::v2 : promql::Compat::v3;
}

promql::EngineOptions engine_options(const AgentOptions& options, const config::AgentConfig& config) {
  promql::EngineOptions out;
  out.compat = compat_of(config);
  out.default_step_ms = config.global.evaluation_interval.count();
  out.max_samples = options.max_samples;
  out.max_steps = std::max(out.max_steps, options.max_samples / kSamplesPerStep);
  out.timeout = options.query_timeout;
  return out;
}

LoadedConfig load(const std::string& file, config::Errors& errors, const std::string& listen_address) {
  LoadedConfig loaded;
  loaded.config = config::load_agent_config(file, errors, targets_keys());
  fill_in(loaded.config.global, listen_address);
  loaded.limits = probe::parse_limits(loaded.config.global.probes_at_once, half_of_open_files(), errors);
  for (const auto& [name, service] : loaded.config.services) {
    for (probe::Spec& spec : probe::parse_probes(name, service, loaded.config.global, errors))
      loaded.probes.push_back(std::move(spec));
    for (const config::TargetsEntry& entry : service.targets)
      loaded.discoveries.push_back(parse_discovery(name, service, entry, loaded.config.global, errors));
    if (auto traffic = recover::parse_traffic(name, service.traffic, errors)) {
      complain_about_places(*traffic, service, errors);
      loaded.traffic.push_back(std::move(traffic));
    }
    if (auto plan = recover::parse_plan(name, service, errors)) loaded.plans.push_back(std::move(plan));
    if (auto standby = recover::parse_standby(name, service, loaded.config.global.node, loaded.config.fleet, errors)) {
      if (const std::string why = servers_of_another(*standby, loaded.standbys); !why.empty())
        errors.add(service.standby.find("members").mark(), config::service_path(name) + ".standby.members", why);
      loaded.standbys.push_back(std::move(standby));
    }
    const std::string fleet = config::service_path(name) + ".fleet";
    if (service.fleet.is_null()) continue;
    if (loaded.config.fleet.is_null())
      errors.add(service.fleet.mark(), fleet,
                 "there is no store to share it by: write fleet: {etcd: {...}} beside services");
    loaded.fleet_services.push_back({name, cluster::parse_group(service.fleet, fleet, errors)});
  }
  for (const std::string& pattern : loaded.config.blackbox.targets)
    if (const auto good = read_pattern(pattern); !good)
      errors.add(loaded.config.blackbox.place.find("targets").mark(), "blackbox.targets", good.error().text);
  if (const std::string& modules = loaded.config.blackbox.config_file; !modules.empty())
    loaded.modules =
        probe::BlackboxModules::load((std::filesystem::path(file).parent_path() / modules).string(), errors);
  loaded.fleet = cluster::parse_fleet(loaded.config.fleet, errors);
  loaded.drills = recover::parse_drills(
      loaded.config.drills,
      [&](const std::string& wanted) {
        return std::any_of(loaded.config.services.begin(), loaded.config.services.end(),
                           [&](const auto& service) { return service.first == wanted; });
      },
      errors);
  loaded.fault_drills = recover::parse_fault_drills(
      loaded.config.drills,
      [&](const std::string& wanted) -> std::optional<std::string> {
        for (const auto& [name, service] : loaded.config.services)
          if (name == wanted) return service.unit;
        return std::nullopt;
      },
      errors);
  loaded.notifications = notify::parse_settings(loaded.config, errors);
  std::vector<config::RuleGroup> groups =
      load_rule_files(loaded.config, file, rules::format_of(compat_of(loaded.config)), errors);
  loaded.groups = rules::compile(std::move(groups), compat_of(loaded.config), errors);
  warn_of_what_matches_nothing(loaded, errors);
  errors.blot(config::secrets_of(loaded.config.root));
  return loaded;
}

LoadedConfig without_document(LoadedConfig loaded) {
  loaded.shown = config::shown_config(loaded.config.root);
  loaded.config = config::without_nodes(std::move(loaded.config));
  return loaded;
}

void leave_out_mistakes(const std::string& file, LoadedConfig& loaded, config::Errors& errors) {
  std::string all = errors.short_text();
  const std::size_t before = errors.size();
  // A load balancer's file may be right again before it is needed; until then the page and a metric say it.
  for (const auto& traffic : loaded.traffic) errors.take_out(config::service_path(traffic->service) + ".traffic");
  std::erase_if(loaded.config.services, [&](const auto& service) {
    const std::string& name = service.first;
    if (errors.take_out(config::service_path(name)) == 0) return false;
    std::erase_if(loaded.probes, [&](const probe::Spec& spec) { return spec.service == name; });
    std::erase_if(loaded.discoveries, [&](const Discovery& each) { return each.probe.service() == name; });
    std::erase_if(loaded.plans, [&](const auto& plan) { return plan->service == name; });
    std::erase_if(loaded.traffic, [&](const auto& traffic) { return traffic->service == name; });
    std::erase_if(loaded.fleet_services, [&](const auto& each) { return each.service == name; });
    std::erase_if(loaded.standbys, [&](const recover::Standby& standby) { return standby->service == name; });
    std::erase_if(loaded.drills, [&](const recover::Drill& drill) { return drill->service == name; });
    std::erase_if(loaded.fault_drills, [&](const auto& drill) { return drill->service == name; });
    return true;
  });
  // Without the store it is not known whether others act: services that share one are watched and not recovered.
  if (errors.take_out("fleet") > 0) {
    const auto in_group = [&](const std::string& name) {
      return std::any_of(loaded.fleet_services.begin(), loaded.fleet_services.end(),
                         [&](const auto& each) { return each.service == name; });
    };
    std::erase_if(loaded.plans, [&](const auto& plan) { return in_group(plan->service); });
    loaded.fleet_services.clear();
    loaded.standbys.clear();
    loaded.fleet = {};
  }
  // One with mistakes is not among the receivers that were read; without a route every receiver hears everything.
  for (const char* key : {"receivers", "route", "inhibit_rules", "time_intervals", "mute_time_intervals", "templates"})
    errors.take_out(key);
  errors.take_out("drills");            // one with mistakes was not read
  errors.take_out("include");           // a file that is not there, or cannot be read
  errors.take_out("rule_files");        // the same
  errors.take_out("blackbox.targets");  // a pattern that is none fits nothing
  // Of the other files: those of include, whose services were taken out above, rule files, and the modules of /probe,
  // which leave out their broken ones by themselves.
  const std::set<std::string> broken = errors.take_out_other_files(file);
  std::erase_if(loaded.groups,
                [&](const rules::CompiledGroupPtr& group) { return broken.contains(rules::file_of(*group)); });
  if (errors.size() < before) loaded.left_out = std::move(all);
}

}  // namespace app
