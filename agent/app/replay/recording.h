// What an agent, or a Prometheus that scrapes it, has recorded of a node: runs of probes, how services were, alerts of
// others, and all other samples, in the order in which the agent knew of them. A run is known when it ends, and its
// samples carry the time at which it started. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "model/alert.h"
#include "model/outcome.h"
#include "promql/queryable.h"

namespace app {

struct RecordedSample {
  const model::Labels* series = nullptr;
  model::Sample sample;
};
struct RecordedRun {
  std::string service, probe;
  base::WallTime started{};
  model::Outcome outcome;  // up, how long it took, and when the service's process started, if it was measured
};
// The same run, before the health to which it led.
struct RecordedResult {
  std::string service, probe;
  bool up = false;
};
// fettle_service_up: how the agent found the service to be.
struct RecordedHealth {
  std::string service;
  bool up = false;
  bool alone = false;  // its probes were not recorded: each health stands for a run
};

struct RecordedEvent {
  std::int64_t at = 0;  // milliseconds; in order
  // In the order in which the agent sees those of one time.
  std::variant<RecordedSample, RecordedResult, RecordedHealth, RecordedRun, model::AlertTransition> what;
};

class Recording {
 public:
  // Without the series that the rules of the configuration write themselves: the alerts in them are those of others.
  // Times are whole milliseconds: of what became known in the same one, what started first comes first, then the
  // services that stand first in `order`, in which those that others depend on come before them.
  Recording(std::vector<promql::MemoryQueryable::Entry> series, const std::vector<std::string>& order);
  Recording(const Recording&) = delete;  // events point into it
  Recording& operator=(const Recording&) = delete;

  const std::vector<RecordedEvent>& events() const { return events_; }
  // Whether the health of the service was recorded, and need not be judged.
  bool has_health(const std::string& service) const { return service_up_.contains(service); }
  // The series of a service that a change of its health touches.
  std::vector<model::Labels> of_service(const std::string& service) const;
  // When the agent started, if it was recorded.
  std::optional<std::int64_t> agent_started() const;

 private:
  using Samples = std::vector<model::Sample>;
  using ProbeName = std::pair<std::string, std::string>;  // service and probe
  void add_samples();
  void add_runs();
  void add_healths();
  void add_alerts();
  void match();
  base::Millis took(const ProbeName& probe, std::int64_t started) const;
  std::int64_t known(const ProbeName& probe, std::int64_t started) const;  // when the agent knew of the run
  void sort(const std::vector<std::string>& order);

  std::vector<promql::MemoryQueryable::Entry> series_;
  std::map<ProbeName, const Samples*> took_;
  std::map<ProbeName, std::map<std::int64_t, std::int64_t>> known_;  // of each run, by its start
  std::map<std::string, const Samples*> service_up_;
  std::vector<RecordedEvent> events_;
};

}  // namespace app
