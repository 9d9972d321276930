// Restores backups on purpose, before they are needed: when each drill is due, one at a time, never while a recovery is
// under way, and what came of it, durable. Loop thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "recover/drill/drill_run.h"

namespace state {
class State;
}  // namespace state

namespace recover {

struct DrillStatus {
  Drill spec;
  DrillRecord record;
  std::string doing;                   // "": it does not run
  std::optional<base::WallTime> due;   // when it may run next, by its schedule; nothing while it runs
  base::WallTime must_be_proven_by{};  // an alert says so after that
};

struct DrillCallbacks {
  std::function<std::string()> busy;  // why none may run now: "the recovery of order is under way"; or ""
  std::function<void(const DrillSpec&, const DrillReport&)> on_report;  // of a run that ended
  std::function<void()> on_change;
};

// When a drill may begin after what is known of it, whether a window is open or not. Pure.
base::WallTime due_at(const DrillSpec& spec, const DrillRecord& record);

class Drills {
 public:
  // `state` outlives it.
  Drills(DrillContext context, state::State& state, DrillCallbacks callbacks);
  // Ends a run and removes what it restored; what cannot be removed then, the next agent removes.
  ~Drills();

  // A run that is under way is ended, and tried again later. What an agent that died left in a scratch folder is
  // removed.
  void replace(std::vector<Drill> drills);
  // A recovery begins: the run that is under way is ended, and tried again later.
  void interrupt(const std::string& why);
  // For a person, at any time: a sentence; or not_found, or why none may run now.
  base::Result<std::string> run(const std::string& name);

  std::vector<DrillStatus> statuses() const;  // by name

 private:
  struct Known {
    Drill spec;
    DrillRecord record;
    bool cleaned = false;  // nothing of an earlier agent is left
    loop::Handle cleaning{};
  };

  void look();
  void take_up(Known& known);
  void begin(Known& known);
  void on_end(const std::string& name, DrillReport report);
  void keep(const Known& known);

  DrillContext context_;
  state::State& state_;
  DrillCallbacks callbacks_;
  std::map<std::string, Known> drills_;
  std::string running_;  // name; "": none
  Scratch scratch_{};    // of the run
  std::unique_ptr<DrillRun> run_;
  loop::Handle timer_, retired_;
};

}  // namespace recover
