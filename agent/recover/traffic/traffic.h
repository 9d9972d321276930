// A service's places behind load balancers: it can be taken out of each and put back. What a place is, one file in
// traffic/types/ and one line in traffic/types.def say; the TrafficController drains all places of a service together.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/registry.h"
#include "base/time.h"
#include "loop/handle.h"
#include "model/health.h"
#include "recover/action.h"

namespace config {
class Errors;
struct KeyReference;
class Node;
}  // namespace config

namespace http {
class HttpClient;
}  // namespace http

namespace loop {
class Scheduler;
}  // namespace loop

namespace net {
class AgentCheckServer;
class Dialer;
}  // namespace net

namespace os {
class Spawner;
class Systemd;
}  // namespace os

namespace recover {

namespace traffic {
class Nginx;
}

enum class Flow { live, drained };

// What those who send a service requests should see of it.
struct DesiredState {
  Flow flow = Flow::live;  // what plans and people want
  int share = kAll;        // percent of its weight, while live
  model::Health health = model::Health::unknown;
  std::string text{};  // why it is down

  static constexpr int kAll = 100;
  bool is_out() const { return flow == Flow::drained || health == model::Health::down; }
  bool operator==(const DesiredState&) const = default;
};

// What places work with. One for the node.
struct TrafficContext {
  loop::Scheduler& scheduler;
  os::Systemd& systemd;
  os::Spawner& spawner;
  net::Dialer& dialer;
  net::AgentCheckServer& agent_checks;
  traffic::Nginx* nginx = nullptr;   // the TrafficController brings its own: reloads of one nginx are done together
  http::HttpClient* http = nullptr;  // of single places; null only where a test does not use them
};

struct ApplyResult {
  ActionStatus result = ActionStatus::none;
  std::string text;
  bool externally_drained = false;  // ok, because it was out already; then it is not fettle's to put back
  bool as_before = false;           // ok, and nothing had to be changed
};

// A place in work. Loop thread. Dropping it ends what it runs, not what it has done.
class Adapter {
 public:
  virtual ~Adapter() = default;
  // One change at a time. `done` once, in a later turn of the loop: ok when the load balancer works with it, or why
  // it does not; then it works as before. Applying what already is does nothing, but proves it. Dropping the Handle
  // stops waiting, not the change.
  virtual loop::Handle apply(const DesiredState& to, base::Instant deadline, std::function<void(ApplyResult)> done) = 0;
  // Whether the load balancer can say that people have taken the service out there.
  virtual bool knows_drains() const { return false; }
  // `done` once, in a later turn: what a person should know, "" if nobody has taken it out or that is not known.
  // `ours`: what an agent has done. Beside a change that is under way; dropping the Handle ends it.
  virtual loop::Handle ask_drained(Flow, base::Instant, std::function<void(std::string)>) { return {}; }
  // Whether what was applied can be lost there without a word, by a restart or another author: then a drain is applied
  // again and again.
  virtual bool can_forget() const { return false; }
  // Why the next change would not work there, as far as that can be seen without one; "" if nothing is wrong. `done`
  // once, in a later turn. An empty Handle: it cannot be seen.
  virtual loop::Handle look(base::Instant, std::function<void(std::string)>) { return {}; }
  // What lies outside says that an agent took the service out and ended before it put it back, or in mid-change.
  virtual bool left_drained() const { return false; }
};

// A place as configured. Const.
class TrafficPlace {
 public:
  virtual ~TrafficPlace() = default;
  virtual std::unique_ptr<Adapter> start(const TrafficContext& context, const std::string& service) const = 0;
  // Whether it follows the service's health too. Else it knows what is drained, and no more.
  virtual bool follows_health() const = 0;
  // What a change asks of systemd, if it does: the polkit rule is made of these.
  virtual std::optional<SystemdJob> systemd_job() const { return std::nullopt; }
  virtual std::string text() const = 0;  // "nginx upstream order"
  // What is wrong on this node now, for a load: as Adapter::look, of what lies in files.
  virtual std::string complaint() const { return ""; }
};

struct TrafficType {
  std::string_view name;  // the key under `traffic`
  std::string_view summary;
  std::string_view example;
  const std::vector<config::KeyReference>& (*reference)();
  // Null if it has a mistake.
  std::unique_ptr<const TrafficPlace> (*parse)(const config::Node& node, const std::string& path,
                                               config::Errors& errors);
};

using TrafficTypes = base::Registry<TrafficType, &TrafficType::name>;
TrafficTypes traffic_types();

struct TrafficSpec {
  std::string service;
  std::vector<std::unique_ptr<const TrafficPlace>> places;
  std::string text{};  // the settings as one line of YAML, from which parse_traffic makes the same
};

// `services.NAME.traffic`: a key for each type. Null if it is absent or has a mistake.
std::unique_ptr<const TrafficSpec> parse_traffic(const std::string& service, const config::Node& node,
                                                 config::Errors& errors);

// Whether so many of `all` servers may be left when one of them goes: `min_live`, or half of them and at least one for
// 0. The number that must be left.
int least_live(int min_live, int all);

}  // namespace recover
