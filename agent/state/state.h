// What must survive a crash: alert states, incidents, budgets, intents, maintenance, silences, the notification queue,
// the traffic that was taken away, the lease in the fleet, the audit trail, the daily availability, the evidence of
// incidents. packaging/doc/durable-formats.md has every table and record. Small records by table and key in SQLite
// (WAL, synchronous=FULL), written by a thread of its own, so that the disk never stalls the loop. The format of a
// record is its writer's (JSON); this module keeps bytes.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace state {

enum class Table {
  alerts,
  budgets,
  intents,
  recoveries,
  maintenance,
  silences,
  notifications,
  traffic,
  incidents,
  fleet,
  audit,
  availability,
  evidence
};

struct Change {
  Table table;
  std::string key;
  std::string value;
  bool erase = false;
  static Change put(Table table, std::string key, std::string value) {
    return {table, std::move(key), std::move(value), false};
  }
  static Change remove(Table table, std::string key) { return {table, std::move(key), {}, true}; }
};

struct Damage {
  // Damaged files that were set aside and still lie in the folder; until a person takes them away.
  std::size_t files = 0;
  // What was durable before this start is not known: its file was damaged or empty, or cannot be read.
  bool forgotten = false;
};

// Behind an interface, so that tests can make the disk slow, full or lost at any step.
class State {
 public:
  // Writes what waits. Callbacks that have not come by then never come. Loop thread.
  virtual ~State() = default;
  // All changes of one call become durable together or not at all. `durable` comes on the loop thread, in a later turn,
  // after fsync; or with the error, and then nothing of this call is kept. Calls are kept in order. Kind::limit: so
  // many calls wait for the disk that this one was refused.
  virtual void commit(std::vector<Change> changes, std::function<void(base::Result<>)> durable) = 0;
  // What was durable when the file was opened plus what was committed since, by key: a call shows at once, and is taken
  // back before its callback hears of an error. Loop thread.
  virtual const std::map<std::string, std::string>& read(Table table) const = 0;
  // Why records do not become durable now, as the last call or a look every two seconds found it; "" while they do.
  // Another agent has the folder: nothing is written, as it may be when the folder was removed. Or the disk has not
  // answered for kSlow: what waits may still become durable. Loop thread.
  virtual const std::string& trouble() const = 0;
  // Loop thread.
  virtual Damage damage() const { return {}; }
  static constexpr std::chrono::seconds kSlow{5};
};

// Opens or creates <folder>/fettle.db. Fails only if another agent has the folder, or if there is no thread that could
// write (Kind::limit). In every other case the agent starts and `notice` says what is wrong: a damaged file was set
// aside as fettle.db.damaged-<time> (five are kept), or nothing can be written (full or read-only disk, no permission,
// a newer format). Then read() has what could be read, every commit() fails, and the file is opened again by later
// calls, as it is when it is removed while the agent runs.
// `committed` hears how long each call took from commit() until it was known to be durable; loop thread, before its
// callback.
base::Result<std::unique_ptr<State>> open(const std::string& folder, loop::Scheduler& loop, std::string& notice,
                                          std::function<void(base::Duration)> committed = nullptr);

// The same interface without a disk, durable in the next turn: for tests and for `--storage.path=""`.
std::unique_ptr<State> in_memory(loop::Scheduler& loop);

}  // namespace state
