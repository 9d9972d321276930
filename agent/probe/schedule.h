// Runs the probes of the node: a stable phase hashed from node, service and probe on a fixed grid, in steps of 100 ms
// so that probes share wake-ups, one absolute deadline per run, never two runs of one probe at a time (an overrun is
// counted and skipped), faster while a change is pending, on a grid of its own while down, and at once when an event
// source speaks: its probe and the others of the same service, each at most once in 100 ms. The first run of a probe
// comes within five seconds, however long its interval is. Loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/health.h"
#include "model/outcome.h"
#include "probe/probe.h"
#include "probe/spec.h"

namespace probe {

// One finished run, told to the app: samples are stamped with the time the run started.
struct Run {
  const Spec* spec = nullptr;
  base::WallTime started{};
  base::Duration lateness{};  // start after its due time
  model::Outcome outcome;
  std::optional<Event> event;  // the event that this run confirms
};

// What is known about one probe now.
struct Status {
  const Spec* spec = nullptr;
  model::Health health = model::Health::unknown;
  base::WallTime since{};  // of this health
  int consecutive_failures = 0;
  int consecutive_successes = 0;
  std::uint64_t runs = 0, failures = 0, overruns = 0, events = 0;
  std::optional<Run> last;
  // The one before that said something about its target, while `last` does not: the agent could not look.
  std::optional<Run> last_verdict;
  std::vector<bool> history;  // newest last, up to 60 runs

  // The last run that said something about its target; null if there was none. What the agent could not look at stays
  // as it was: health, samples, pages of metrics.
  const Run* verdict() const {
    if (last_verdict) return &*last_verdict;
    return last && says_something(*last) ? &*last : nullptr;
  }
  static bool says_something(const Run& run) { return run.outcome.reason != model::Reason::agent_overloaded; }
};

// How many runs may go on at the same time; the others wait for their turn, in the order in which they were due.
struct Limits {
  std::size_t at_once = 0;                     // over all types; 0: no limit
  std::map<std::string, std::size_t> by_type;  // instead of the type's own
};

// `own`: of the configuration, where it says nothing about all types. Mistakes go to `errors`.
Limits parse_limits(const config::ProbesAtOnce& settings, std::size_t own, config::Errors& errors);

struct Load {
  std::size_t running = 0;
  std::size_t waiting = 0;
};

using Statuses = std::vector<std::reference_wrapper<const Status>>;

struct Callbacks {
  std::function<void(const Run&, const Status&)> on_run;                  // after every run, status already updated
  std::function<void(const model::HealthChange&, const Run&)> on_change;  // after on_run, if health changed
  std::function<void(const Spec&)> on_overrun = {};  // a run was left out, because the one before is still going
};

class Schedule {
 public:
  Schedule(std::string node, Context context, Callbacks callbacks);
  ~Schedule();

  // Takes over `specs`. A probe whose service, name, type and settings text are unchanged keeps its health and
  // counters.
  void replace(std::vector<Spec> specs);
  // The same for those that were discovered only; the configured ones stay as they are.
  void replace_discovered(std::vector<Spec> specs);
  // For what begins from now on.
  void limit(Limits limits);
  Load load() const;
  // One run now, beside the grid (verification, `fettle probe`, events). Joins a run that is going on.
  void trigger(const std::string& service, const std::string& probe);
  std::vector<std::string> trigger_service(const std::string& service);  // the names of its probes
  // In order of configuration; until the next replace() or replace_discovered().
  Statuses statuses() const;
  Statuses statuses(const std::string& service) const;
  const Status* status(const std::string& service, const std::string& probe) const;
  // The service's main process started: the startup_grace of its probes counts from then.
  void service_started(const std::string& service, base::Instant at);
  // Over its probes, as compose() says.
  model::Health service_health(const std::string& service) const;
  // The same over the last run of each probe, without thresholds. A run that failed because the agent was too slow, or
  // what it asks was silent, says nothing.
  model::Health latest_health(const std::string& service) const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace probe
