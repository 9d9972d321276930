// The names, label names and help of every metric about the agent itself: the one place to look them up and to change
// them. Probe results and alerts are not here; they are the app's.
#pragma once

#include <initializer_list>
#include <vector>

namespace self {

struct Metric {
  const char* name;
  const char* help;
  std::initializer_list<const char*> labels = {};
};

inline constexpr Metric kBuildInfo{
    "fettle_build_info", "What this agent is built from; the value is always 1.", {"version", "revision"}};

inline constexpr Metric kRunDuration{
    "probe_run_duration_seconds", "How long runs of the probe took, whatever they found.", {"service", "probe"}};
inline constexpr Metric kProbeRuns{
    "fettle_probe_runs_total", "Probe runs that came to an end, whatever they found.", {"service", "probe"}};
inline constexpr Metric kProbeFailures{
    "fettle_probe_failures_total", "Probe runs that failed, by reason.", {"service", "probe", "reason"}};
inline constexpr Metric kProbeOverruns{"fettle_probe_overruns_total",
                                       "Probe runs that were left out because the one before was still going.",
                                       {"service", "probe"}};
inline constexpr Metric kProbeSamplesLeftOut{"fettle_probe_samples_left_out_total",
                                             "Samples of probes that were left out: Prometheus would refuse their name "
                                             "or that of a label, or what came in place "
                                             "of bytes that are no UTF-8 made two of them one.",
                                             {"service", "probe"}};
inline constexpr Metric kSchedulerLag{"fettle_scheduler_lag_seconds",
                                      "How much later than planned probe runs started. Above 0.1 the agent starves."};
inline constexpr Metric kDetectionLatency{
    "fettle_detection_latency_seconds",
    "Time from a sign of failure (an event, or the first failed run) to the verdict down, by what saw it first.",
    {"source"}};

inline constexpr Metric kRecoveryActions{"fettle_recovery_actions_total",
                                         "Recovery actions by result; in mode dry_run nothing was touched.",
                                         {"service", "action", "result", "mode"}};
inline constexpr Metric kRecoveryBlocked{
    "fettle_recovery_blocked_total", "Recoveries that a guard refused, by the guard's name.", {"service", "reason"}};
inline constexpr Metric kRolloutEvents{
    "fettle_rollout_events_total",
    "What this agent wrote into the record of a rollout: started, part_began, part_done, part_failed, stopped, "
    "resumed, aborted, done.",
    {"group", "event"}};
inline constexpr Metric kIncidents{
    "fettle_incidents_total",
    "Incidents that ended, by how: healed (by a recovery), person (a person started it, or maintenance), itself, gone "
    "(the service is not configured any more).",
    {"service", "end"}};
inline constexpr Metric kObjectivesMissed{"fettle_incident_objectives_missed_total",
                                          "Incidents that took longer than an objective of their service allows, by "
                                          "objective: detect, locate, recover. Those "
                                          "of drills do not count.",
                                          {"service", "objective"}};
inline constexpr Metric kIncidentDuration{"fettle_incident_duration_seconds",
                                          "From the first failed run of an incident until nothing of it was wrong."};
inline constexpr Metric kNotifications{
    "fettle_notifications_total",
    "Notifications by receiver and result: sent (taken by the receiver), retried, refused (4xx), parked, silenced.",
    {"receiver", "result"}};
inline constexpr Metric kNotificationRequests{
    "fettle_notification_requests_total",
    "Requests to each target of a receiver, by result: sent, retried or refused.",
    {"receiver", "target", "result"}};
inline constexpr Metric kNotificationsDropped{
    "fettle_notifications_dropped_total",
    "Messages that will not be sent, by reason: superseded, resolved_untold, parked, too_old, receiver_removed, "
    "unreadable.",
    {"receiver", "reason"}};

inline constexpr Metric kRuleDuration{
    "fettle_rule_evaluation_duration_seconds", "Time that the evaluation of one rule took, by group.", {"group"}};
inline constexpr Metric kRuleFailures{"fettle_rule_evaluation_failures_total",
                                      "Rule evaluations that ended with an error; /api/v1/rules says which.",
                                      {"group"}};

// Under Prometheus' own names, so that dashboards and alerts for its rules work on ours; the app has the counters.
inline constexpr Metric kPrometheusRuleDuration{"prometheus_rule_evaluation_duration_seconds",
                                                "The duration for a rule to execute; quantiles of ten minutes."};
inline constexpr Metric kPrometheusGroupDuration{"prometheus_rule_group_duration_seconds",
                                                 "The duration of rule group evaluations; quantiles of ten minutes."};

inline constexpr Metric kLoopStall{"fettle_loop_stall_seconds",
                                   "Longest turn of the event loop in the last publishing period."};
inline constexpr Metric kLeftInTimeWait{
    "fettle_connections_left_total",
    "TCP connections of the agent that it closed and that the kernel then still held (TIME_WAIT, or on the way to it), "
    "of "
    "a sample of 16 each second; probes reset what they close, so that it stays 0."};
inline constexpr Metric kLoopTurn{"fettle_loop_turn_seconds", "Time that turns of the event loop took."};

inline constexpr Metric kReloadOk{"fettle_config_last_reload_successful",
                                  "1 if the last configuration that was read is the one that runs, else 0."};
inline constexpr Metric kReloadTime{"fettle_config_last_reload_success_timestamp_seconds",
                                    "When the configuration that runs was read."};

inline constexpr Metric kStoreSeries{"fettle_store_series", "Series in the local store."};
inline constexpr Metric kStoreMaxSeries{"fettle_store_max_series",
                                        "Most series that the local store may hold: storage.max_series."};
inline constexpr Metric kStoreEvicted{"fettle_store_evicted_total",
                                      "Series that left the local store before their time to make room: those that had "
                                      "ended, oldest first, and those that fettle_store_lost_total counts."};
inline constexpr Metric kStoreLost{
    "fettle_store_lost_total",
    "Living series that left the local store for want of room: for health, alerts, rules "
    "with fewer series, or what had less than its part of the store. Those of the "
    "writer with the most go; the log names it."};
inline constexpr Metric kStoreSamples{"fettle_store_samples", "Samples in the local store."};
inline constexpr Metric kStoreBytes{"fettle_store_bytes", "Memory of the local store, near enough."};
inline constexpr Metric kStoreRefused{"fettle_store_refused_total",
                                      "Samples that the local store refused: out_of_order in time, or limit of series "
                                      "reached. Above 0 for limit, rules see "
                                      "a part only of what probes measure.",
                                      {"reason"}};

inline constexpr Metric kStateDurable{
    "fettle_state_durable",
    "1 while alerts, budgets, silences and notifications become durable in the state folder, 0 while they cannot."};
inline constexpr Metric kStateDamaged{
    "fettle_state_damaged_files",
    "Damaged state files that were set aside and still lie in the state folder, as fettle.db.damaged-TIME."};
inline constexpr Metric kStateCommit{"fettle_state_commit_seconds",
                                     "Time until a change of the durable state was on disk."};
inline constexpr Metric kLogLinesLeftOut{
    "fettle_log_lines_left_out_total",
    "Lines that the log left out, because the same message came more than 500 times in 10 seconds."};
inline constexpr Metric kQueries{"prometheus_engine_queries",
                                 "The current number of queries being executed or waiting."};
inline constexpr Metric kQueriesMost{"prometheus_engine_queries_concurrent_max",
                                     "The max number of concurrent queries."};
inline constexpr Metric kQueriesEnded{
    "fettle_queries", "Queries of the API by their end: success, error, timeout or canceled.", {"result"}};
inline constexpr Metric kAnswerMemory{"fettle_answer_bytes",
                                      "Memory of the answers of the API that are computed or sent now."};
inline constexpr Metric kAnswerMemoryMost{"fettle_answer_max_bytes",
                                          "Most memory of such answers; queries wait for it or are refused."};
inline constexpr Metric kHttpConnections{"fettle_http_connections",
                                         "Open connections of clients, over TCP and to the admin socket."};
inline constexpr Metric kHttpRefused{
    "fettle_http_refused", "Connections and requests that were not served, by reason.", {"reason"}};
inline constexpr Metric kEventStreams{"fettle_event_streams", "Open event streams of status pages."};

inline constexpr Metric kProcessCpu{"process_cpu_seconds_total", "User and system CPU time of the agent."};
inline constexpr Metric kProcessResident{"process_resident_memory_bytes", "Resident memory of the agent."};
inline constexpr Metric kProcessVirtual{"process_virtual_memory_bytes", "Address space of the agent."};
inline constexpr Metric kProcessFds{"process_open_fds", "Open file descriptors of the agent."};
inline constexpr Metric kProcessMaxFds{"process_max_fds", "Most file descriptors that the agent may open."};
inline constexpr Metric kProcessThreads{"process_threads", "Threads of the agent."};
inline constexpr Metric kProcessStart{"process_start_time_seconds", "When the agent started, since the Unix epoch."};

}  // namespace self
