// What one run of a probe found. A service that is down is data, never an error.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/labels.h"
#include "model/metric_family.h"

namespace model {

// Why a run failed: one bounded set for every protocol, so that `reason` can be a label. Text says the rest.
enum class Reason {
  none,
  dns_error,
  refused,
  connect_timeout,
  unreachable,
  reset,
  tls_handshake,
  tls_verify,
  tls_expired,
  send_timeout,
  read_timeout,
  closed_early,
  protocol_error,
  status_mismatch,
  header_mismatch,
  body_mismatch,
  json_mismatch,
  too_large,
  too_slow,
  auth_failed,
  exit_code,
  signal,
  exec_timeout,
  process_gone,
  unit_failed,
  heartbeat_missed,
  queue_saturated,
  requests_stalled,
  agent_overloaded,
};

std::string_view to_string(Reason reason);  // as in the metric label; "" for none
std::optional<Reason> parse_reason(std::string_view name);
const std::vector<Reason>& all_reasons();  // without none

// A value that a probe measured besides up or down, named as the blackbox exporter names it (probe_http_status_code …).
// Seconds of a duration that a probe measured, rounded to a microsecond: what is below is the noise of the clock and
// the scheduler, and would be most of what a sample takes in the store.
double duration_value(base::Duration took);

struct Measurement {
  std::string name;
  double value = 0;
  Labels labels;  // without service and probe; usually {phase="connect"} or nothing
  // As a service's own page says; of a probe's own numbers, which are gauges, nothing is said.
  MetricType type = MetricType::unknown;
};

struct Phase {
  std::string_view name;  // resolve, connect, tls, processing, transfer …; a literal
  base::Duration took{};
};

struct Outcome {
  bool up = false;
  Reason reason = Reason::none;  // none exactly when up
  std::string text;              // one line for a person, also when up ("200 OK in 3 ms"); never a secret
  base::Duration took{};
  std::vector<Phase> phases;
  std::vector<Measurement> measurements;
  std::size_t left_out = 0;  // measurements that make_fit() took away

  static Outcome success(std::string text);
  static Outcome failure(Reason reason, std::string text);
};

inline constexpr std::size_t kTextLimit = 2048;        // bytes of Outcome::text
inline constexpr std::size_t kLabelValueLimit = 4096;  // bytes of a measurement's label

// Sanitizes the words of peers and programs: the text becomes one line, text and values of labels
// become UTF-8 of a bounded length without characters that steer a terminal (base/text.h). Measurements that Prometheus
// would refuse for their name or the name of a label, and those that this made equal to another, are left out.
void make_fit(Outcome& outcome);

}  // namespace model
