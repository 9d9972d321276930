// What a probe type is. A type is one file in the folder of its family and one line in types.def:
// its settings struct, its Schema, its Probe class, and `const Type NAME_type`.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "base/time.h"
#include "model/outcome.h"

namespace config {
class Errors;
struct KeyReference;
class Node;
}  // namespace config

namespace http {
class HttpClient;
}  // namespace http

namespace loop {
class BlockingPool;
class Scheduler;
}  // namespace loop

namespace net {
class Dialer;
class Resolver;
}  // namespace net

namespace os {
class PidWatcher;
class Spawner;
class Systemd;
}  // namespace os

namespace probe {

class Heartbeats;  // heartbeats.h: last beats by service and probe

// What probes may use. References live as long as the agent; a probe holds nothing else of it.
struct Context {
  loop::Scheduler& scheduler;
  http::HttpClient& http;
  net::Dialer& dialer;
  net::Resolver& resolver;
  os::Spawner& spawner;
  os::PidWatcher& pids;
  os::Systemd& systemd;
  Heartbeats& heartbeats;
  loop::BlockingPool& blocking_pool;
};

using Done = std::function<void(model::Outcome)>;

// One run. start() is called once; `done` comes exactly once, in a later turn, at the latest at the deadline (the
// Schedule makes sure of the last). Destroying the Probe cancels it: no callback after that, no descriptor left.
class Probe {
 public:
  virtual ~Probe() = default;
  virtual void start(base::Instant deadline, Done done) = 0;
  // Secrets of the run, beside those of its settings: tokens that it fetched, captures, cookies. Asked
  // when `done` is called; its outcome is shown without them.
  virtual base::KnownSecrets learned() const { return {}; }
};

// Something that tells at once that a run would find a change: a process ended, a unit changed. The Schedule answers
// each call of `changed` with a confirming run; events trigger, probes decide.
class EventSource {
 public:
  virtual ~EventSource() = default;
  // After each run of its probe: a source that lost its target (the process that it watched ended) looks for it again.
  virtual void after_run(const model::Outcome&) {}
  // Before a run of its probe is judged: adds whether it watches (probe_event_source_active), and what it knows of the
  // cause to a failure's text. Without it runs come on their grid only, which is all that some kernels offer.
  virtual void describe(model::Outcome&) const {}
};
struct Event {
  std::string
      source;  // "pidfd", "cgroup", "systemd", "connection", "heartbeat": label of fettle_detection_latency_seconds
  std::string text;  // what was seen
  base::Instant noticed{};
};
using OnEvent = std::function<void(Event)>;

// A probe's settings, parsed and checked: makes fresh Probes, and its event source if it has one.
class Settings {
 public:
  virtual ~Settings() = default;
  virtual std::unique_ptr<Probe> make(const Context& context) const = 0;
  virtual std::unique_ptr<EventSource> watch(const Context&, OnEvent) const { return nullptr; }  // NOLINT
  virtual std::string target() const = 0;  // for pages: "http://127.0.0.1:8081/healthz", "unit order.service"
};

// What a type may want to know about the service it probes when it is parsed.
struct Owner {
  std::string service;
  std::string probe;
  std::string unit;  // the service's systemd unit or ""
};

struct Type {
  std::string_view name;
  std::string_view summary;  // one line for the reference
  std::string_view example;  // a complete YAML mapping of one probe; a test parses it
  // The type's own keys. The common ones (common_keys.h) stand in the same mapping, are read by parse_probes() and are
  // known to the type's schema, so that a slip of either kind is answered with the right key. Mistakes go to `errors`.
  std::unique_ptr<const Settings> (*parse)(const config::Node& node, const std::string& path, const Owner& owner,
                                           config::Errors& errors);
  const std::vector<config::KeyReference>& (*reference)();
  // Measurements that every successful run has; checked by the compliance test.
  std::vector<std::string_view> measurements = {};
  // The keys that a bare target stands for: `fettle probe tcp 127.0.0.1:6379` is host and port. Null: takes none.
  std::vector<std::pair<std::string, std::string>> (*keys_of_target)(std::string_view target) = nullptr;
  // Why a run failed that had said nothing at its deadline.
  model::Reason late = model::Reason::read_timeout;
  // Runs of this type at the same time, over all probes; the others wait for their turn. 0: no limit.
  std::size_t concurrency = 0;
  // The other names that a run can measure, by its settings or by what it finds; beside `measurements` there are no
  // more. Absent: they are not known beforehand. For `fettle check`, which says what rules can never find.
  std::optional<std::vector<std::string_view>> other_measurements = std::nullopt;
  bool can_measure(std::string_view metric) const;
};

}  // namespace probe
