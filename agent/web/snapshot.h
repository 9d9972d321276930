// The immutable state that pages read: drawn by the loop thread when a client wants to look, swapped into a slot,
// held by the worker that renders it. Plain values only; no pointer into live state. A snapshot costs what its
// thousands of values cost, so none is drawn while no client looks.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/action_report.h"
#include "model/alert.h"
#include "model/availability.h"
#include "model/evidence.h"
#include "model/health.h"
#include "model/incident.h"
#include "model/labels.h"
#include "model/outcome.h"
#include "model/rule.h"
#include "model/silence.h"
#include "web/slot.h"

namespace web {

struct ProbePage {
  std::string name, type, target;
  model::Health health = model::Health::unknown;
  base::WallTime since{};
  model::Reason reason = model::Reason::none;
  std::string text;
  std::optional<base::WallTime> last_run;
  base::Millis interval{};
  double took_seconds = 0;
  int consecutive_failures = 0, failure_threshold = 0;
  std::vector<std::pair<std::string, double>> phases;  // seconds
  std::vector<bool> history;                           // newest last
};

// A condition of the service's recovery plan.
struct GuardPage {
  std::string name;
  bool open = true;
  std::string text;                     // its value, for a person
  std::optional<base::WallTime> opens;  // when a closed one opens by time alone
};

struct ServicePage {
  std::string name;
  model::Labels labels;
  std::string unit;
  std::vector<std::string> depends_on;
  std::optional<base::Millis> rpo, rto;  // its objectives
  model::Health health = model::Health::unknown;
  base::WallTime since{};
  model::Reason reason = model::Reason::none;  // of the first probe that is down
  std::string text;
  std::optional<std::string> maintenance;            // who or why, while it is on
  std::string paused{};                              // its own pause file that is there, for a person; "": none
  std::optional<model::RecoveryMode> recovery_mode;  // nothing: it has no plan, and no state of one
  std::optional<model::PlanState> recovery_state;
  std::string recovery_reason;  // the guard that blocks, for a person
  int attempts_left = 0;
  std::string recovery_next;                // what would happen next, for a person
  std::vector<GuardPage> recovery_guards;   // in the order in which they are asked
  std::vector<std::string> recovery_steps;  // the whole plan, a line for each step
  std::string recovery_cure{};              // its first step that may heal; "": it has none
  bool recovery_verifies = false, recovery_drains = false, recovery_undrains = false;
  bool has_traffic = false;  // that could be moved
  std::vector<ProbePage> probes;
};

struct RulePage {
  std::string name, query;
  model::RuleType type = model::RuleType::recording;
  base::Millis for_duration{}, keep_firing_for{};
  model::Labels labels, annotations;  // as written, not expanded
  model::RuleHealth health = model::RuleHealth::unknown;
  std::string last_error;
  base::WallTime last_evaluation{};
  double evaluation_seconds = 0;
  std::size_t series = 0;  // that its selectors found last time
  std::vector<model::Alert> alerts;
  std::optional<base::WallTime> unmatched_since{};  // none of its selectors has found a series since then
};

struct RuleGroupPage {
  std::string name, file;
  base::Millis interval{};
  int limit = 0;
  base::WallTime last_evaluation{};
  double evaluation_seconds = 0;
  std::vector<RulePage> rules;
};

// Of targets: its last good answer goes on, but for targets that do not fit.
struct BrokenSource {
  std::string mistakes;                 // the first ones, a line each
  std::optional<base::WallTime> since;  // the list as a whole; absent if only targets do not fit
};

struct ConfigPage {
  std::string file;
  std::string redacted_text;
  base::WallTime loaded{};
  bool last_reload_ok = true;
  std::string last_reload_error;                   // all mistakes, a line each
  std::string left_out{};                          // mistakes of parts that were left out at the start, a line each
  std::vector<std::string> waiting_for_restart{};  // keys whose new values count after the next start
  std::vector<BrokenSource> broken_sources{};
};

// Who is in a group of the fleet, as the store has it.
struct FleetMemberPage {
  std::string node, service;
  model::Health health = model::Health::unknown;
  base::WallTime since{};
  std::optional<base::WallTime> waits_since, acts_since;  // for a slot; with one
  std::string recovery{};                                 // that acts
  std::uint64_t fence = 0;                                // of its slot; 0: nothing fences
};
// Of a group, as its record in the store has it; see cluster/rollout.h.
struct RolloutPartPage {
  std::string node, service, state, text;
  base::WallTime since{};
};
struct RolloutPage {
  std::string id, action, by, state, why;
  int batch = 1, round = 1;
  base::WallTime started{}, since{};
  std::vector<RolloutPartPage> parts;
};
struct FleetGroupPage {
  std::string name;
  bool known = false;  // read at least once
  std::vector<FleetMemberPage> members;
  std::string panic{};                   // why no member is recovered; "": the group is not beyond its panic threshold
  std::optional<RolloutPage> rollout{};  // the last one
  std::string pager{};                   // who tells people of it: "order on node3"; "": not known
};
struct FleetPage {
  std::string store;    // "": no fleet is configured
  std::string trouble;  // why it does not answer; "" while it does
  bool joined = false;  // this agent
  base::WallTime since{};
  std::vector<FleetGroupPage> groups;
};

// A restore drill.
struct DrillPage {
  struct Proof {
    base::WallTime at{};
    std::string backup;
    double restore_seconds = 0;
    std::optional<double> data_age_seconds;
    std::uint64_t files = 0, bytes = 0;
  };
  std::string name, service;
  std::string backup;                 // what is restored: "restic /srv/backup/order"
  std::string doing;                  // "": it does not run
  std::string result, text;           // of the last run; "" before the first
  base::WallTime began{}, ended{};    // of the last run
  std::optional<base::WallTime> due;  // when it may run next
  base::WallTime must_be_proven_by{};
  std::optional<Proof> proof;  // the last restore that was proven
};

// A fault that is rehearsed at a service.
struct FaultDrillPage {
  std::string name;  // "": by hand only
  std::string service, fault;
  std::string doing;                // "": it does not run
  std::string result, text;         // of the last one; "" before the first
  base::WallTime began{}, ended{};  // of the last one
  std::optional<base::WallTime> due, must_pass_by, last_success;
  std::vector<std::pair<std::string, double>> stage_seconds;
};

// A hot standby, as this agent sees it.
struct StandbyPage {
  struct Member {
    std::string node, address, state, text;
    std::int64_t offset = 0;
  };
  struct Gate {
    std::string name;
    bool open = false;
    std::string text;
  };
  std::string service, mode;
  std::string is;                            // what the server here is or does
  std::string move;                          // what is done next; "none": nothing
  std::string primary;                       // node, by the record; "": none was ever elected
  std::string holder;                        // node that has the right now; "": none, or it is not known
  std::uint64_t fence = 0;                   // of the right
  std::optional<base::WallTime> promoted{};  // by the record: the last promotion
  std::vector<std::string> must_rejoin{};
  std::vector<Member> members{};
  std::vector<Gate> gates{};  // the first that is not open is why nothing is done
};

// One integration of a receiver.
struct ReceiverPage {
  std::string name, type;
  std::string last_error;                   // "" when all is taken
  std::optional<base::WallTime> last_sent;  // by this agent since its start
};

struct Snapshot {
  std::uint64_t number = 0;  // counts up; id of the event stream
  base::WallTime at{};
  std::string node, version;
  base::WallTime started{};
  bool ready = false;
  std::vector<ServicePage> services;
  std::vector<model::Alert> alerts;      // pending and firing
  std::vector<model::Silence> silences;  // also those that expired lately
  // The ids of the silences that keep an alert from receivers, by its labels; those under none are not here.
  std::map<model::Labels, std::vector<std::string>> silenced_by;
  std::vector<RuleGroupPage> rule_groups;
  std::vector<model::RecoveryReport> recoveries;                   // newest first, up to 100
  std::vector<std::shared_ptr<const model::Incident>> incidents;   // newest first: the open ones, the last that ended
  std::vector<std::shared_ptr<const model::Evidence>> evidence{};  // of incidents that are kept, oldest first
  std::vector<model::ServiceAvailability> availability;  // by name; also of services that were configured lately
  std::vector<DrillPage> drills{};                       // by name
  std::vector<FaultDrillPage> fault_drills{};            // by service and fault
  std::vector<StandbyPage> standbys{};                   // by service
  std::vector<ReceiverPage> receivers{};
  FleetPage fleet{};
  ConfigPage config;
  std::string paused{};                         // the node's pause file that is there, for a person; "": none
  std::string state_trouble{};                  // why nothing becomes durable now; "" while it does
  std::size_t damaged_state_files = 0;          // that were set aside and still lie in the state folder
  base::Millis retention{};                     // of the store
  std::vector<std::string> traffic_troubles{};  // places where traffic cannot be turned, a sentence each
  std::vector<std::string> store_troubles{};    // who has no room in the store, a sentence each
  std::string heartbeat_token_file{};           // "": POST /heartbeat is not offered
};

using SnapshotSlot = Slot<Snapshot>;

}  // namespace web
