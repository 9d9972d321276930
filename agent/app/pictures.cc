#include "app/pictures.h"

#include <algorithm>
#include <array>

#include "app/samples.h"

namespace app {
namespace {

web::ProbePage probe_page(const probe::Status& status) {
  web::ProbePage page;
  page.name = status.spec->name;
  page.type = status.spec->type->name;
  page.target = status.spec->settings->target();
  page.health = status.health;
  page.since = status.since;
  page.interval = status.spec->interval;
  page.consecutive_failures = status.consecutive_failures;
  page.failure_threshold = status.spec->failure_threshold;
  page.history = status.history;
  if (!status.last) return page;
  const model::Outcome& outcome = status.last->outcome;
  page.reason = outcome.reason;
  page.text = outcome.text;
  page.last_run = status.last->started;
  page.took_seconds = base::seconds(outcome.took);
  for (const model::Phase& phase : outcome.phases) page.phases.emplace_back(phase.name, base::seconds(phase.took));
  return page;
}

// Families by name while they are filled; points keep the order in which they come.
class Families {
 public:
  void add(std::string_view name, std::string_view help, model::Labels labels, double value,
           model::MetricType type = model::MetricType::gauge, std::string_view suffix = "") {
    const auto [at, is_new] = by_name_.try_emplace(std::string(name));
    if (is_new) at->second = {std::string(name), std::string(help), type, {}};
    at->second.points.push_back({std::string(suffix), std::move(labels), value});
  }
  std::vector<model::MetricFamily> take() {
    std::vector<model::MetricFamily> out;
    for (auto& [name, family] : by_name_) out.push_back(std::move(family));
    return out;
  }

 private:
  std::map<std::string, model::MetricFamily, std::less<>> by_name_;
};

// Help of the measurements that probe types make; the names are the blackbox exporter's, the words are ours.
std::string_view help_of(std::string_view name) {
  static const std::map<std::string_view, std::string_view> texts{
      {"probe_dns_lookup_time_seconds", "Time the look-up of the target's name took."},
      {"probe_failed_due_to_regex", "1 if a regular expression about the answer was not met."},
      {"probe_http_content_length", "Length of the body as the answer declared it, -1 if it did not."},
      {"probe_http_duration_seconds", "Time of the HTTP request by phase, over all redirects."},
      {"probe_http_redirects", "Redirects that were followed."},
      {"probe_http_ssl", "1 if the last request was over TLS."},
      {"probe_http_status_code", "Status code of the last answer."},
      {"probe_http_uncompressed_body_length", "Bytes of the body that were read."},
      {"probe_http_version", "HTTP version of the last answer."},
      {"probe_http_last_modified_timestamp_seconds", "Last-Modified of the last answer, in seconds since the epoch."},
      {"probe_ip_protocol", "4 or 6: the protocol of the address that was used."},
      {"probe_ip_addr_hash", "Hash of the address that was used: a change of it shows that the name moved."},
      {"probe_ssl_earliest_cert_expiry",
       "Earliest end of validity of the certificates that the peer sent, in seconds since the epoch."},
      {"probe_ssl_last_chain_expiry_timestamp_seconds",
       "End of validity of the verified chain, in seconds since the epoch."},
      {"probe_ssl_last_chain_info", "Always 1; the labels describe the peer's own certificate."},
      {"probe_tls_version_info", "Always 1; the label is the TLS version that was agreed on."},
      {"probe_tls_cipher_info", "Always 1; the label is the cipher that was agreed on."},
      {"probe_expect_info", "Always 1; the labels were captured from the answer."},
  };
  const auto found = texts.find(name);
  return found == texts.end() ? "A value that the probe measured; the probe type's reference says what."
                              : found->second;
}

void add_probe(Families& families, const probe::Status& status) {
  const model::Labels labels = probe_labels(*status.spec);
  families.add("fettle_probe_interval_seconds", "Configured time between two runs of the probe.", labels,
               base::seconds(status.spec->interval));
  if (!status.last) return;
  const model::Outcome& outcome = status.last->outcome;
  families.add("probe_success", "1 if the last run of the probe found its target working.", labels, outcome.up ? 1 : 0);
  families.add("probe_duration_seconds", "How long the last run of the probe took.", labels,
               base::seconds(outcome.took));
  families.add("fettle_probe_last_run_timestamp_seconds",
               "Start of the last run of the probe, in seconds since the epoch.", labels,
               base::seconds(status.last->started));
  if (status.health != model::Health::unknown)
    families.add("fettle_probe_up", "The probe's health after its thresholds: 1 up, 0 down; absent while unknown.",
                 labels, status.health == model::Health::up ? 1 : 0);
  for (const model::Measurement& m : outcome.measurements)
    families.add(m.name, help_of(m.name), labels.merged(m.labels), m.value);
}

void add_service(Families& families, const std::string& name, const config::Service& service,
                 const ServiceHealth& health) {
  const model::Labels labels{{"service", name}};
  if (health.health != model::Health::unknown)
    families.add("fettle_service_up",
                 "The service's health over all of its probes: 1 up, 0 down; absent while unknown.", labels,
                 health.health == model::Health::up ? 1 : 0);
  families.add("fettle_service", "Always 1; the labels are the service's own.", labels.merged(service.labels), 1,
               model::MetricType::info, "_info");
  for (const std::string& other : service.depends_on)
    families.add("fettle_service_dependency", "Always 1: the service depends on the other one.",
                 labels.with("depends_on", other), 1);
}

void add_plan(Families& families, const recover::PlanStatus& plan) {
  static constexpr std::array kStates{"idle", "blocked", "backoff", "acting", "verifying", "recovered", "exhausted"};
  const model::Labels labels{{"service", plan.service}};
  for (const char* state : kStates)
    families.add("fettle_recovery_state", "1 for the state that the service's recovery plan is in.",
                 labels.with("state", state), plan.state == state ? 1 : 0);
  families.add("fettle_recovery_attempts_left", "Attempts that the budget of the service's recovery plan still has.",
               labels, plan.attempts_left);
}

}  // namespace

std::vector<web::ServicePage> service_pages(const Facts& facts) {
  std::map<std::string_view, const recover::PlanStatus*> plans;
  for (const recover::PlanStatus& plan : facts.plans) plans.emplace(plan.service, &plan);
  std::vector<web::ServicePage> pages;
  for (const auto& [name, service] : facts.config.services) {
    web::ServicePage& page = pages.emplace_back();
    page.name = name;
    page.labels = service.labels;
    page.unit = service.unit;
    page.depends_on = service.depends_on;
    if (const auto health = facts.services.find(name); health != facts.services.end()) {
      page.health = health->second.health;
      page.since = health->second.since;
      page.reason = health->second.reason;
      page.text = health->second.text;
    }
    if (const auto found = facts.maintenance.find(name); found != facts.maintenance.end())
      page.maintenance = found->second;
    if (const auto found = plans.find(name); found != plans.end()) {
      const recover::PlanStatus& plan = *found->second;
      page.recovery_mode = plan.mode;
      page.recovery_state = plan.state;
      page.recovery_reason = plan.reason;
      page.attempts_left = plan.attempts_left;
    }
    for (const probe::Status& status : facts.probes)
      if (status.spec->service == name) page.probes.push_back(probe_page(status));
  }
  return pages;
}

std::vector<web::RuleGroupPage> rule_group_pages(std::vector<rules::GroupStatus> groups) {
  std::vector<web::RuleGroupPage> pages;
  for (rules::GroupStatus& group : groups) {
    web::RuleGroupPage& page = pages.emplace_back();
    page.name = std::move(group.name);
    page.file = std::move(group.file);
    page.interval = group.interval;
    page.limit = group.limit;
    page.last_evaluation = group.last_evaluation;
    page.evaluation_seconds = base::seconds(group.took);
    for (rules::RuleStatus& rule : group.rules) {
      web::RulePage& row = page.rules.emplace_back();
      row.name = std::move(rule.name);
      row.query = std::move(rule.query);
      row.type = rule.alerting ? "alerting" : "recording";
      row.for_duration = rule.for_duration;
      row.keep_firing_for = rule.keep_firing_for;
      row.labels = rule.labels;
      row.annotations = rule.annotations;
      row.health = std::move(rule.health);
      row.last_error = std::move(rule.last_error);
      row.last_evaluation = rule.last_evaluation;
      row.evaluation_seconds = base::seconds(rule.took);
      row.series = rule.series;
      row.alerts = std::move(rule.alerts);
    }
  }
  return pages;
}

std::vector<model::MetricFamily> metric_families(const Facts& facts) {
  Families families;
  for (const probe::Status& status : facts.probes) add_probe(families, status);
  for (const auto& [name, service] : facts.config.services) {
    const auto health = facts.services.find(name);
    add_service(families, name, service, health == facts.services.end() ? ServiceHealth{} : health->second);
    families.add("fettle_maintenance", "1 while the service is in maintenance: nothing is done to it.",
                 model::Labels{{"service", name}}, facts.maintenance.contains(name) ? 1 : 0);
  }
  for (const recover::PlanStatus& plan : facts.plans) add_plan(families, plan);
  std::map<std::string_view, int> states{{"firing", 0}, {"pending", 0}};
  for (const model::Alert& alert : facts.alerts) ++states[model::to_string(alert.state)];
  for (const auto& [state, count] : states)
    families.add("fettle_alerts", "Active alerts of the local rules by state.", model::Labels{{"state", state}}, count);
  return families.take();
}

}  // namespace app
