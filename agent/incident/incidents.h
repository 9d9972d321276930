// The incidents of the node: opens one when a service goes down or an alert of it fires, gathers what belongs to it,
// decides with decide/ whether people wait for the outcome, and closes it when nothing of it was wrong for a while. A
// relapse within that is the same incident. Each change is durable; an agent that restarts goes on with the open ones.
//
// What happens is noted at once and looked at in the next turn, so that plans have had their say. Loop thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "incident/decide/decide.h"
#include "loop/handle.h"
#include "model/alert.h"
#include "model/health.h"
#include "model/incident.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace state {
class State;
}  // namespace state

namespace incident {

// What the rest of the agent knows of a service now.
struct Facts {
  bool configured = false;
  model::Health health = model::Health::unknown;
  model::IncidentCause cause;  // of its first probe that is down
  std::vector<std::string> depends_on;
  Answer answer;
  bool maintenance = false;
  std::string drill;  // the fault that is rehearsed at it; "": none
  model::IncidentObjectives objectives;
};

struct Options {
  base::Random random;          // of ids
  base::Millis settle{30'000};  // so long nothing must be wrong
  std::size_t keep = 200;       // of those that ended, the newest
};

struct Callbacks {
  // The incident is another than before: receivers compare it with what they know. Once more when its end is durable
  // and gone to all of them (`announced`): it is not told again.
  std::function<void(const model::Incident&)> on_changed;
  std::function<void(const model::Incident&)> on_ended;  // once
};

class Incidents {
 public:
  using View = std::function<Facts(const std::string& service)>;

  // Reads what was left. Nothing is looked at before settle().
  Incidents(Options options, loop::Scheduler& scheduler, state::State& state, View view, Callbacks callbacks);

  // After the start: the alerts as the rules know them, and the runs as recovery does, which may know the end of one
  // that an incident could not write down. After each new configuration: receivers are told all of it once more, for
  // some of them may be new.
  void settle(const std::map<model::Labels, model::Alert>& known, const std::vector<model::RecoveryReport>& runs);
  // Of a service as a whole. `first_failure`: when the first of the runs that made it so began.
  void on_health(const model::HealthChange& change, base::WallTime first_failure);
  void on_alerts(const std::vector<model::AlertTransition>& transitions);
  void on_report(const model::RecoveryReport& report);
  void on_blocked(const std::string& service, const std::string& guard);
  // A plan wants people to know something. False: there is no incident that it could belong to.
  bool on_demand(const std::string& service, const std::string& text);
  // What kind of fault the evidence says it is.
  void on_evidence(const std::string& service, const std::string& text);
  // What was changed on the node before the fault, as people are told it.
  void on_changes(const std::string& service, const std::string& text);
  // A message about it is in a queue; and what became of one, by its id.
  void on_message(const std::string& incident, const model::IncidentMessage& message);
  void on_fate(const std::string& message, std::string_view fate);

  // The open one in which the service's fault stands; "": none.
  std::string incident_of(const std::string& service) const;
  // When that began.
  std::optional<base::WallTime> started(const std::string& service) const;
  bool keeps(const std::string& id) const;
  // Those that ended are shared with who holds them; the open ones are copies.
  std::vector<std::shared_ptr<const model::Incident>> newest_first() const;

 private:
  // One that ended is replaced, never changed: snapshots hold it too.
  using Ended = std::shared_ptr<const model::Incident>;
  struct Open {
    model::Incident incident;
    bool changed = true;  // since it was written
  };

  model::Incident* find(const std::string& service);    // its own, or the one that its alerts stand in
  Open* broken_dependency(const std::string& service);  // down, with an incident
  model::Incident& open(const std::string& service, base::WallTime at);
  model::Incident& find_or_open(const std::string& service, base::WallTime at);
  void take_in_dependents(Open& root);
  void mark(const model::Incident& incident);
  void follow_clock();
  void tell_again();
  void look_again();
  void look();
  void look_at(Open& one, base::WallTime now);
  void close(const std::string& service, base::WallTime now);
  void announce(Ended& incident);
  void write(const model::Incident& incident);
  void arm();

  Options options_;
  loop::Scheduler& scheduler_;
  state::State& state_;
  View view_;
  Callbacks callbacks_;
  std::map<std::string, Open> open_;  // by service
  std::deque<Ended> closed_;          // newest first
  bool settled_ = false;
  bool tell_all_ = false;
  std::optional<base::Millis> offset_{};  // of the wall clock from the one that nobody sets
  loop::Handle soon_, timer_, demanded_;
};

}  // namespace incident
