// The walk of one probe result, and what is looked at every second. The rest of the agent is in agent_start.cc,
// agent_reload.cc and agent_snapshot.cc.
#include "app/agent.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/log_limit.h"
#include "net/time_wait.h"

namespace app {

namespace log = base::log;

// ---- the walk of one probe result ----

void Agent::on_run(const probe::Run& run, const probe::Status& status) {
  const probe::Spec& spec = *run.spec;
  rules_->follow_clock();
  const base::WallTime now = loop_.wall_now();
  if (const probe::Run* verdict = status.verdict()) samples_.append_run(*verdict, run.started);
  blocks_.follow(status);
  self_.probe_finished(spec.service, spec.name, run.outcome.reason);
  if (options_.run_duration_histogram)
    self_.probe_took(spec.service, spec.name, std::chrono::round<std::chrono::microseconds>(run.outcome.took));
  if (run.outcome.left_out > 0) self_.probe_samples_left_out(spec.service, spec.name, run.outcome.left_out);
  self_.probe_lag(run.lateness);
  changes_->note_certificate(run);
  // Before the thresholds are reached, so that the first message can say what was changed.
  if (!run.outcome.up && status.consecutive_failures == 1 && status.health == model::Health::up)
    look_for_changes(spec.service);
  blind_probes_.saw(spec, run.outcome, loop_.now());
  if (const auto start = health_table_.new_start(run))
    schedule_->service_started(spec.service, loop_.now() - (now - *start));
  const model::Health health = schedule_->service_health(spec.service);
  samples_.append_service(spec.service, health, now);
  availability_->on_health(spec.service, health);
  if (const auto change = health_table_.update(run, health, loop_.now(), now)) {
    log::info(fmt::format("service is {}", model::to_string(health)),
              {{"service", spec.service}, {"text", change->text}});
    traffic_controller_->on_health(spec.service, health, change->text);
    fleet_.on_health(spec.service, health, now);
    incidents_->on_health(*change, health_table_.first_failure(spec.service, loop_.now(), now));
    if (health != model::Health::unknown) fault_drills_->on_health(spec.service, health == model::Health::up);
    if (health == model::Health::down) {
      recorder_->begin(spec.service, "");
      note_changes(spec.service);
      look_for_changes(spec.service);
    }
    dispatcher_->on_health(*change);
  }
  dispatcher_->on_run(spec.service, spec.name, run.outcome.up);
  changed();
}

// After on_run of the same run: the store has what the rules are to see.
void Agent::on_probe_change(const model::HealthChange& change, const probe::Run& run) {
  if (change.to == model::Health::down) {
    const std::string source = run.event ? run.event->source : "probe";
    const base::Duration latency = health_table_.detection_latency(run, loop_.now());
    self_.detected(source, latency);
    log::warn("probe is down", {{"service", change.service},
                                {"probe", change.probe},
                                {"reason", std::string(model::to_string(change.reason))},
                                {"text", change.text},
                                {"source", source},
                                {"latency_seconds", fmt::format("{:.6f}", base::seconds(latency))}});
  } else {
    log::info("probe is up", {{"service", change.service}, {"probe", change.probe}, {"text", change.text}});
  }
  rules_->touched(samples_.touched_by(change.service));
}

void Agent::on_transitions(const std::vector<model::AlertTransition>& happened) {
  const std::vector<model::AlertTransition> transitions = marked(happened);
  // First recover, so that the notification can say what was tried; the incident waits for what it says.
  incidents_->on_alerts(transitions);
  for (const model::AlertTransition& transition : transitions) dispatcher_->on_alert(transition);
  notifications_->on_transitions(transitions);
  // The log says it when the alert and its messages are durable: what it says is told, whatever happens to the agent.
  state_->commit({}, [transitions](const base::Result<>&) {
    for (const model::AlertTransition& transition : transitions)
      log::info(fmt::format("alert is {}", model::to_string(transition.alert.state)),
                {{"alert", transition.alert.labels.to_string()}});
  });
  changed();
}

void Agent::on_report(const model::RecoveryReport& report) {
  incidents_->on_report(report);
  notifications_->on_recovery(report);
  audit_report(report);
  fault_drills_->on_report(report);
  rollouts_->look_soon();
  if (!report.ended && report.state != model::RecoveryState::blocked && report.mode != model::RecoveryMode::dry_run)
    drills_->interrupt(fmt::format("the recovery of {} began", report.service));
  if (!report.actions.empty() || report.ended) {
    const bool acted = !report.actions.empty();
    log::info("recovery", {{"service", report.service},
                           {"id", report.id},
                           {"mode", std::string(to_string(report.mode))},
                           {"state", std::string(to_string(report.state))},
                           {"reason", report.reason},
                           {"action", acted ? report.actions.back().action : ""},
                           {"result", acted ? std::string(to_string(report.actions.back().result)) : ""}});
  }
  changed();
}

void Agent::on_evidence(model::Evidence evidence) {
  const std::string service = evidence.service, text = evidence.headline();
  log::info("evidence of a fault", {{"service", service},
                                    {"incident", evidence.incident},
                                    {"fault", text},
                                    {"took_seconds", fmt::format("{:.3f}", base::seconds(evidence.took))}});
  model::EvidenceSection changes{"changes", {}, ""};
  for (const model::NodeChange& change : changes_->before(service, evidence.at))
    changes.lines.push_back(
        fmt::format("{} {}: {}", base::format_iso8601(change.at), to_string(change.kind), change.what));
  if (changes.lines.empty()) changes.missing = "nothing was changed in the hour before";
  evidence.sections.push_back(std::move(changes));
  evidence_->add(std::move(evidence));
  incidents_->on_evidence(service, text);
  fault_drills_->on_evidence(service);
  follow_evidence();
  changed();
}

void Agent::look_for_changes(const std::string& service) {
  changes_->look([this, service] { note_changes(service); });
}

void Agent::note_changes(const std::string& service) {
  const auto started = incidents_->started(service);
  if (!started) return;
  if (const std::string text = model::changed_text(changes_->before(service, *started), *started); !text.empty())
    incidents_->on_changes(service, text);
}

// Incidents go when they are old, and become a part of another one.
void Agent::follow_evidence() {
  evidence_->follow([this](const std::string& incident) { return incidents_->keeps(incident); },
                    [this](const std::string& service) { return incidents_->incident_of(service); });
}

// A line for the begin of a run, for each action and for its end; a report comes more often.
void Agent::audit_report(const model::RecoveryReport& report) {
  std::string text;
  if (report.ended)
    text = fmt::format("{}{}", to_string(report.state), report.reason.empty() ? "" : ": " + report.reason);
  else if (!report.actions.empty() && report.actions.back().result != model::ActionStatus::none)
    text = fmt::format("{}: {}{}", report.actions.back().action, to_string(report.actions.back().result),
                       report.actions.back().text.empty() ? "" : ": " + report.actions.back().text);
  else
    text = fmt::format("{}, for {}{}", to_string(report.state), report.trigger,
                       report.reason.empty() ? "" : ": " + report.reason);
  text = fmt::format("recovery {} ({}): {}", report.id, to_string(report.mode), text);
  std::string& last = audited_[report.service];
  if (last == text) return;
  last = text;
  audit_->add(model::AuditKind::recovery, "fettle", report.service, text);
  if (report.ended) audited_.erase(report.service);
}

void Agent::on_rollout(const std::string& group, const cluster::RolloutNews& news) {
  self_.rollout_event(group, to_string(news.event));
  audit_->add(model::AuditKind::recovery, "fettle", news.service,
              fmt::format("rollout of {}: {}: {}", group, to_string(news.event), news.text));
  const bool bad = news.event == cluster::RolloutEvent::stopped || news.event == cluster::RolloutEvent::part_failed;
  (bad ? log::warn : log::info)("rollout",
                                {{"group", group}, {"event", std::string(to_string(news.event))}, {"text", news.text}});
  changed();
}

void Agent::on_drill(const recover::DrillSpec& drill, const recover::DrillReport& report) {
  const std::string text = fmt::format("{}: {}", to_string(report.result), report.text);
  audit_->add(model::AuditKind::recovery, "fettle", drill.service, fmt::format("drill {}: {}", drill.name, text));
  using Result = recover::DrillResult;
  const bool calm = report.result == Result::verified || report.result == Result::interrupted;
  (calm ? log::info : log::warn)(
      "drill has ended",
      {{"drill", drill.name}, {"service", drill.service}, {"backup", report.backup}, {"text", text}});
  changed();
}

void Agent::on_standby(const std::string& service, const std::string& text) {
  audit_->add(model::AuditKind::recovery, "fettle", service, "standby: " + text);
  changed();
}

void Agent::audit_change(const web::Asked& asked, const base::Result<std::string>& answer) {
  audit_->add(model::AuditKind::change, asked.by, asked.service,
              answer ? asked.what : fmt::format("{}: refused: {}", asked.what, answer.error().text));
}

// ---- upkeep ----

void Agent::look_at_loop() {
  const base::Duration longest = loop_.take_longest_turn();
  self_.loop_turn(longest);
  self_.published();
  self_.connections_left(net::count_left_behind());
  const store::Stats stats = store_.stats();
  self_.store_counts({stats.series, stats.samples, stats.bytes, stats.refused_old, stats.refused_limit,
                      stats.max_series, stats.evicted, stats.lost});
  store_watch_.look(loop_.now());
  server_->look_at_files();
  service_view_.look(longest);
  self_.log_lines_left_out(log::lines_left_out());
  look_at_state();
}

void Agent::look_at_state() {
  const std::size_t damaged = state_->damage().files;
  self_.state_damaged(damaged);
  if (damaged != std::exchange(damaged_state_files_, damaged)) changed();
  if (state_->trouble() == state_trouble_) return;
  const bool was_durable = std::exchange(state_trouble_, state_->trouble()).empty();
  self_.state_durable(state_trouble_.empty());
  if (state_trouble_.empty()) log::info("the state is durable again", {{"folder", options_.storage_path}});
  else if (was_durable)
    log::error("nothing is durable until this is mended: the agent probes and tells, and makes few recoveries",
               {{"error", state_trouble_}});
  changed();
}

}  // namespace app
