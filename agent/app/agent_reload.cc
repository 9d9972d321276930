// How a new configuration, or another list of targets, comes into the running agent.
#include <fmt/format.h>

#include <set>
#include <utility>

#include "app/agent.h"
#include "app/config_lint.h"
#include "app/counters_from_zero.h"
#include "base/log.h"

namespace app {
namespace {

namespace log = base::log;

// Options that live in the constructors of rules and notifications; a reload that changes them makes both anew.
bool same_globals(const config::AgentConfig& a, const config::AgentConfig& b) {
  return a.global.external_labels == b.global.external_labels && a.global.node == b.global.node &&
         a.global.evaluation_interval == b.global.evaluation_interval && a.promql_compat == b.promql_compat;
}

// Whether nothing measures any more what an alert is about: its service or its probe went. What lists of targets will
// bring is not known yet.
rules::Manager::Gone gone_from(const config::AgentConfig& config, const std::vector<probe::Spec>& probes) {
  std::set<std::string> services, with_lists;
  std::set<std::pair<std::string, std::string>> known;
  for (const auto& [name, service] : config.services) {
    services.insert(name);
    if (!service.targets.empty()) with_lists.insert(name);
  }
  for (const probe::Spec& spec : probes) known.emplace(spec.service, spec.name);
  return [services, with_lists, known](const model::Labels& alert) {
    const std::string service(alert.get("service")), probe(alert.get("probe"));
    if (service.empty()) return false;
    if (!services.contains(service)) return true;
    return !probe.empty() && !with_lists.contains(service) && !known.contains({service, probe});
  };
}

std::set<std::string> alert_names(const rules::Manager& rules) {
  std::set<std::string> names;
  for (const rules::GroupStatus& group : rules.groups())
    for (const rules::RuleStatus& rule : group.rules)
      if (rule.type == model::RuleType::alerting) names.insert(rule.name);
  return names;
}

}  // namespace

// Who asks while one is being read has the next one: the file may be another by then.
void Agent::reload(web::AdminBackend::Done done) {
  reloads_.push_back(std::move(done));
  if (!config_reader_.busy()) read_config();
}

void Agent::read_config() {
  os::notify_systemd(
      fmt::format("RELOADING=1\nMONOTONIC_USEC={}",
                  std::chrono::duration_cast<std::chrono::microseconds>(loop_.now().time_since_epoch()).count()));
  config_reader_.read(options_.config_file, options_.listen_address,
                      [this, asked = std::exchange(reloads_, {})](LoadedConfig loaded, const config::Errors& errors) {
                        const base::Result<std::string> answer = take_config(std::move(loaded), errors);
                        os::notify_systemd("READY=1");
                        for (const web::AdminBackend::Done& done : asked) done(answer);
                        if (!reloads_.empty() && !config_reader_.busy()) read_config();
                      });
}

base::Result<std::string> Agent::take_config(LoadedConfig loaded, const config::Errors& errors) {
  config_page_.last_reload_ok = errors.empty();
  config_page_.last_reload_error = errors.short_text();
  changed();
  if (!errors.empty()) {
    self_.config_refused();
    log::error("the new configuration has mistakes; the old one keeps running", {{"mistakes", errors.short_text()}});
    return base::fail(base::Kind::invalid, errors.text());
  }
  for (const std::string& warning : errors.warnings()) log::warn("configuration", {{"warning", warning}});
  if (loaded.config.heartbeat_socket != config_.heartbeat_socket) {
    if (const auto bound = bind_heartbeats(loaded.config.heartbeat_socket); !bound) return refuse(bound.error());
  }
  const std::vector<std::string> waiting = waiting_for_restart(loaded.config);
  if (!same_globals(loaded.config, config_)) {
    rules_->end_what_is_gone();
    std::swap(config_, loaded.config);  // what is made anew reads config_
    make_rules();
    make_notifications();
    std::swap(config_, loaded.config);
  }
  config_page_.waiting_for_restart = waiting;
  apply(std::move(loaded));
  changes_->add({loop_.wall_now(), "", model::ChangeKind::reload, options_.config_file + " was loaded"});
  log::info("the configuration was loaded", {{"file", options_.config_file}});
  if (!waiting.empty())
    log::warn("a part of the new configuration counts after the next start only",
              {{"keys", fmt::format("{}", fmt::join(waiting, ", "))}, {"to_do", "systemctl restart fettle"}});
  return waiting.empty() ? ""
                         : fmt::format("the new configuration is running; only after a restart count: {}",
                                       fmt::join(waiting, ", "));
}

// What cannot be had now: the old configuration keeps running, with its socket.
base::Result<std::string> Agent::refuse(const base::Error& error) {
  open_heartbeats();
  config_page_.last_reload_ok = false;
  config_page_.last_reload_error = "heartbeat.socket: " + error.text;
  self_.config_refused();
  log::error("the new configuration cannot be used; the old one keeps running",
             {{"mistakes", config_page_.last_reload_error}});
  changed();
  return base::fail(error.kind, config_page_.last_reload_error);
}

// What is read at the start only.
std::vector<std::string> Agent::waiting_for_restart(const config::AgentConfig& next) const {
  const config::AgentConfig& first = first_config_;
  std::vector<std::string> keys;
  if (next.global.node != first.global.node) keys.emplace_back("global.node");
  if (next.storage.retention != first.storage.retention) keys.emplace_back("storage.retention");
  if (next.storage.max_series != first.storage.max_series) keys.emplace_back("storage.max_series");
  // Rules follow at once; the API and the schedule of our own page do not.
  if (next.promql_compat != first.promql_compat) keys.emplace_back("promql_compat (for queries)");
  if (next.global.evaluation_interval != first.global.evaluation_interval)
    keys.emplace_back("global.evaluation_interval (for subqueries without a step in queries)");
  return keys;
}

void Agent::apply(LoadedConfig loaded) {
  discoveries_.replace(std::move(loaded.discoveries), loaded.probes);
  for (probe::Spec& spec : discoveries_.specs(loaded.modules)) loaded.probes.push_back(std::move(spec));
  if (loaded.probes.empty())
    log::warn("no probe is configured: add services to the configuration", {{"file", options_.config_file}});
  std::vector<const probe::Spec*> probes;
  for (const probe::Spec& spec : loaded.probes) probes.push_back(&spec);
  if (const std::string text = too_many_series(probes, loaded.config.storage.max_series); !text.empty())
    log::warn(text, {{"file", options_.config_file}});
  forget_missing(loaded);
  count_from_zero(self_, loaded);
  samples_.retarget(target_labels(loaded.config.global), loop_.wall_now());
  config_ = std::move(loaded.config);
  config_page_.file = options_.config_file;
  config_page_.redacted_text = std::move(loaded.shown);
  config_page_.loaded = loop_.wall_now();
  self_.config_loaded(config_page_.loaded);
  config_page_.left_out = loaded.left_out;
  if (!loaded.left_out.empty()) {
    self_.config_refused();
    log::error("parts of the configuration have mistakes and are left out; the rest runs",
               {{"mistakes", loaded.left_out}});
  }
  health_table_.keep_only(config_.services, config_page_.loaded);
  notifications_->replace(std::move(loaded.notifications));
  recorder_->configure(config_.evidence, config_.services);
  dispatcher_->limit({config_.global.recovery.plans_at_once, config_.global.recovery.actions_per_hour,
                      config_.global.recovery.pause_file});
  traffic_controller_->replace(std::move(loaded.traffic));
  fleet_.slots().change(config_.global.recovery.plans_at_once);
  standbys_->pause();  // another store may take the place of the one that it waits for
  fleet_.replace(loaded.fleet, loaded.fleet_services, config_.global.node, *state_);
  for (const auto& [name, known] : health_table_.all()) {
    traffic_controller_->on_health(name, known.health, known.text);
    fleet_.on_health(name, known.health, known.since);
  }
  dispatcher_->replace(std::move(loaded.plans));
  drills_->replace(std::move(loaded.drills));
  fault_drills_->replace(std::move(loaded.fault_drills));
  standbys_->replace(std::move(loaded.standbys));
  rules_->replace(std::move(loaded.groups), gone_from(config_, loaded.probes));
  dispatcher_->know_alerts(alert_names(*rules_));
  if (!std::exchange(settled_, true)) notifications_->settle(rules_->known_alerts());
  probe_endpoint_.replace(std::move(loaded.modules), config_.blackbox, loaded.probes);
  schedule_->limit(std::move(loaded.limits));
  schedule_->replace(std::move(loaded.probes));
  const probe::Statuses statuses = schedule_->statuses();
  samples_.keep_only(statuses, config_page_.loaded);
  forget_unprobed(statuses);
  incidents_->settle(rules_->known_alerts(), dispatcher_->reports());
  follow_evidence();
  changes_->configure(config_.services, *schedule_);
  changed();
  publish();  // at once: who may send heartbeats is read from the latest snapshot, however old
}

// Only the discovered probes change.
void Agent::rediscover() {
  std::vector<probe::Spec> specs = discoveries_.specs(probe_endpoint_.modules());
  std::set<std::pair<std::string, std::string>> gone;
  for (const probe::Status& status : schedule_->statuses())
    if (status.spec->discovered) gone.emplace(status.spec->service, status.spec->name);
  for (const probe::Spec& spec : specs) gone.erase({spec.service, spec.name});
  for (const auto& [service, name] : gone) self_.forget_probe(service, name);
  schedule_->replace_discovered(std::move(specs));
  const probe::Statuses statuses = schedule_->statuses();
  probe_endpoint_.allow(statuses);
  samples_.keep_only(statuses, loop_.wall_now());
  for (const probe::Status& status : statuses)
    if (status.spec->discovered) count_from_zero(self_, *status.spec);
  forget_unprobed(statuses);
  log::info("the targets are others", {{"probes", fmt::to_string(statuses.size())}});
  changed();
  publish();  // at once: a query sees the new labels from here on, and a list of probes must not be behind it
}

// A service without a probe is unknown again; one whose probes are new keeps its verdict until they have run.
void Agent::forget_unprobed(const probe::Statuses& statuses) {
  std::set<std::string> probed;
  for (const probe::Status& status : statuses) probed.insert(status.spec->service);
  const base::WallTime now = loop_.wall_now();
  for (const auto& [service, known] : health_table_.all()) {
    if (known.health == model::Health::unknown || probed.contains(service)) continue;
    health_table_.forget(service, now);
    fleet_.on_health(service, model::Health::unknown, now);
    availability_->on_health(service, model::Health::unknown);
  }
}

void Agent::forget_missing(const LoadedConfig& next) {
  std::set<std::pair<std::string, std::string>> probes;
  for (const probe::Spec& spec : next.probes) probes.emplace(spec.service, spec.name);
  for (const probe::Status& status : schedule_->statuses()) {
    const std::pair key{status.spec->service, status.spec->name};
    if (probes.contains(key)) continue;
    self_.forget_probe(key.first, key.second);
  }
  std::set<std::string> services, receivers;
  for (const auto& [name, service] : next.config.services) services.insert(name);
  for (const notify::ReceiverSpec& receiver : next.notifications.receivers) receivers.insert(receiver.name);
  for (const auto& [name, health] : health_table_.all())
    if (!services.contains(name)) {
      self_.forget_service(name);
      availability_->on_health(name, model::Health::unknown);
    }
  for (const notify::ReceiverStatus& receiver : notifications_->statuses())
    if (!receivers.contains(receiver.name)) self_.forget_receiver(receiver.name);
  if (fleet_.fleet() == nullptr) return;
  std::set<std::string> groups;
  for (const cluster::FleetService& member : next.fleet_services) groups.insert(member.group.group);
  for (const std::string& group : fleet_.fleet()->groups())
    if (!groups.contains(group)) self_.forget_rollouts(group);
}

}  // namespace app
