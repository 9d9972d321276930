// One fault of one service, from its first failed run to its end: why, which alerts belong to it, what was tried, who
// was told, and how it ended. What people read and are told is made of it. Plain values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/action_report.h"
#include "model/alert.h"

namespace model {

// healed: by a recovery of ours. person: somebody started the recovery, or had the service in maintenance. itself: all
// else. gone: the service is not configured any more, and no alert of it fires.
enum class IncidentEnd { open, healed, itself, person, gone };
std::string_view to_string(IncidentEnd end);  // a label of fettle_incidents_total; "" while it is open
std::optional<IncidentEnd> parse_incident_end(std::string_view name);

// What the run said that made the service down; of an incident without one, what its first alert says.
struct IncidentCause {
  std::string probe;    // "": no probe has failed
  std::string reason;   // model::Reason as a label, or ""
  std::string text;     // for a person
  std::string address;  // what was probed, without secrets
  std::string death;    // what the event source saw: how the process ended, say; or ""
  int status = 0;       // of HTTP; 0: there was none
};

// Of the story what no alert, recovery or message stands for: down, up, blocked, asked, told, joined …
struct NotedHealth {
  std::string service;
  bool down = false;
};
struct IncidentNote {
  base::WallTime at{};
  std::string text;
  std::optional<NotedHealth> health{};  // that a service went down, or is up again
};

// One message of a receiver, and what became of it.
struct IncidentMessage {
  std::string id, receiver;
  std::string kind;  // page, update, resolved, note
  std::string fate;  // queued, sent, dropped
  base::WallTime at{};
};

struct Incident {
  static constexpr std::size_t kResolvedAlerts = 50, kRecoveries = 20, kNotes = 100, kMessages = 100;  // the newest

  std::string id, service;
  base::WallTime started{};
  bool down = false;                         // the service is
  base::WallTime last_down{};                // when it went down last; the epoch: it did not
  std::optional<base::WallTime> calm_since;  // up, no alert of it fires and no run is open
  std::optional<base::WallTime> ended;       // calm_since, once it has lasted; "nothing of it comes back"
  IncidentEnd end = IncidentEnd::open;
  IncidentCause cause;
  std::string changed;                  // what was changed on the node before it, the likeliest; "": nothing
  std::vector<std::string> dependents;  // services whose alerts stand here, because they depend on this one
  bool maintenance = false;             // the service was in maintenance during it
  std::string drill;                    // the fault that was rehearsed, recover::Fault; "": it is real
  std::optional<base::WallTime> detected, located;  // the service went down first; its evidence was there
  std::vector<std::string> missed;                  // objectives, once it has ended
  std::vector<Alert> alerts;                        // also of dependents; those that fire, and resolved ones
  std::vector<RecoveryReport> recoveries;
  std::vector<std::string> demands;  // what a plan wants a person to do or know
  // Of those that there is no room for any more: how many finished_runs() and all_demands() counted.
  std::size_t runs_gone = 0, demands_gone = 0;
  std::size_t relapses = 0;  // since people were told: down again, after it was up for as long as an end must last
  std::vector<IncidentNote> notes;
  std::vector<IncidentMessage> messages;

  // Outcome first. Once `told` is set it stays: people's receivers hear of it from then on.
  std::optional<base::WallTime> hold_until, told;
  std::string why;         // it is held, or told; of one that is told: what was in vain last
  bool announced = false;  // its end has gone to the receivers

  bool is_open() const { return end == IncidentEnd::open; }
  bool fires() const;                            // an alert of it, of a dependent or not
  std::vector<const Alert*> own_alerts() const;  // of the service itself
  std::size_t finished_runs() const;             // recoveries that ended and were more than a dry run
  std::size_t all_demands() const { return demands_gone + demands.size(); }
};

// What the service is to be judged by.
struct IncidentObjectives {
  std::optional<base::Millis> detect, locate, recover;  // since the first failed run
};
struct MissedObjective {
  std::string name, text;  // "detect", "detect took 1m12s of 1m"
};
// Of one that has ended. One in which the service never was down was not to be detected or located.
std::vector<MissedObjective> missed_objectives(const Incident& incident, const IncidentObjectives& wanted);
// "order is down: refused: …"; `text`: why, or "".
IncidentNote health_note(base::WallTime at, const NotedHealth& health, const std::string& text);

// How long a service was down in an incident, once for each time. The first one of the incident's own service begins
// with its first failed run. Of an incident of alerts alone it is one span, its whole length. `to` is missing while it
// is down. A dependent that was never down in it has none.
struct DownSpan {
  base::WallTime from{};
  std::optional<base::WallTime> to;
};
std::vector<DownSpan> down_spans(const Incident& incident, const std::string& service);

// "order is down: refused: connect to 127.0.0.1:8081 failed (probe http at http://127.0.0.1:8081/healthz)"
std::string headline(const Incident& incident);
// What was tried, a clause for each recovery: "attempt 1: systemd restart order.service ok, recovered"; one for all in
// a row that are alike, such as those that are refused: "attempt 1: systemd restart order.service refused (…), failed,
// 7 times". "" for nothing.
std::string tried(const Incident& incident);
// How it stands or ended: "healed by fettle after 4 s", "held until 12:00:01Z: …", "nobody has mended it: …".
std::string standing(const Incident& incident);

struct IncidentLine {
  base::WallTime at{};
  std::string text;
};
// All that happened, oldest first.
std::vector<IncidentLine> timeline(const Incident& incident);

}  // namespace model
