// Alerts as durable records: one per alert, keyed by file, group, rule and labels.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/alert.h"
#include "rules/compiled.h"
#include "rules/group.h"
#include "state/state.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace rules {

// The records of all alerts, and when they were last written. Loop thread.
class AlertRecords {
 public:
  using Changes = std::vector<state::Change>;

  AlertRecords(state::State& state, loop::Scheduler& scheduler) : state_(state), scheduler_(scheduler) {}

  // The key of a rule's alerts without the labels. Its position tells rules of one group apart that share name and
  // labels.
  std::string prefix(const Group& group, const LiveRule& live) const;
  // What is to be written of these alerts of a rule: those that it has, and those that it has no more.
  void write(const Group& group, const LiveRule& live, const std::vector<model::Labels>& touched,
             Changes& changes) const;
  void remove_all(const Group& group, Changes& changes) const;

  // Writes the time too, if there are any.
  void commit(Changes changes);
  void commit_time() { commit(Changes(1, time())); }

  // Since the last commit of an agent before; 0 for the first one.
  base::Millis away() const;
  // Nothing for a record that is none.
  void each(const std::function<void(const std::string& key, std::optional<model::Alert>)>& visit) const;

 private:
  state::Change time() const;

  state::State& state_;
  loop::Scheduler& scheduler_;
};

}  // namespace rules
