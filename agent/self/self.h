// The agent's counters about itself (prometheus-cpp), with a typed call for everything worth counting. Any thread, at
// any time. Names and help are in names.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/action_report.h"
#include "model/metric_family.h"
#include "model/outcome.h"

namespace self {

struct StoreCounts {
  std::size_t series = 0, samples = 0, bytes = 0;
  std::uint64_t refused_old = 0, refused_limit = 0;  // since start
  std::size_t max_series = 0;
  std::uint64_t evicted = 0, lost = 0;  // since start
};

class Self {
 public:
  Self(std::string_view version, std::string_view revision);
  ~Self();

  // What is …_added shows its series with zeros before the first event: increase() does not see the event that a
  // counter is born with. Counters that are there stay as they are.
  void probe_added(std::string_view service, std::string_view probe);
  void failures_added(std::string_view service, std::string_view probe, model::Reason reason);
  void probe_finished(std::string_view service, std::string_view probe, model::Reason reason);  // none: it was up
  void probe_took(std::string_view service, std::string_view probe, base::Duration took);
  void probe_overrun(std::string_view service, std::string_view probe);
  void probe_samples_left_out(std::string_view service, std::string_view probe, std::size_t count);
  void probe_lag(base::Duration late);
  // `source`: event or probe, whatever saw the failure first.
  void detected(std::string_view source, base::Duration latency);

  void recovery_added(std::string_view service, std::string_view action, model::RecoveryMode mode);
  void recovery_action(std::string_view service, std::string_view action, model::ActionStatus result,
                       model::RecoveryMode mode);
  void recovery_blocked(std::string_view service, std::string_view guard);
  void rollouts_added(std::string_view group, std::string_view event);
  void rollout_event(std::string_view group, std::string_view event);
  void incidents_added(std::string_view service);
  void incident_ended(std::string_view service, std::string_view end, base::Duration lasted);
  void objective_added(std::string_view service, std::string_view objective);
  void objective_missed(std::string_view service, std::string_view objective);
  void notifications_added(std::string_view receiver, std::string_view target, std::string_view result);
  void drops_added(std::string_view receiver, std::string_view reason);
  // `target` is "" where no target has a part.
  void notified(std::string_view receiver, std::string_view target, std::string_view result);
  void notifications_dropped(std::string_view receiver, std::string_view reason, std::size_t messages);
  void rule_evaluated(std::string_view group, base::Duration took, bool ok);
  void rule_group_evaluated(base::Duration took);

  void loop_turn(base::Duration took);  // each turn, without the time it slept
  void published();                     // the longest turn since the last call becomes fettle_loop_stall_seconds

  void connections_left(std::uint64_t more);  // in TIME_WAIT, since the last call

  void config_loaded(base::WallTime at);  // also at start
  void config_refused();                  // the old one goes on
  void store_counts(const StoreCounts& now);
  void state_durable(bool is_so);
  void state_damaged(std::size_t files);
  void log_lines_left_out(std::uint64_t lines);  // since the start
  void state_committed(base::Duration took);

  // Series that a reload made meaningless; those of the others go on counting.
  void forget_service(std::string_view service);
  void forget_probe(std::string_view service, std::string_view probe);
  void forget_receiver(std::string_view receiver);
  void forget_group(std::string_view group);     // of rules
  void forget_rollouts(std::string_view group);  // of a fleet

  // The names of all series that collect() can give, whether there are any yet or not.
  std::vector<std::string> series_names() const;
  // All of it, and the process's own figures as /proc has them now.
  model::MetricPage collect() const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace self
