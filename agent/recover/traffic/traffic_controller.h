// Drains and undrains the node's services: all places of a service together, by command of a plan and, where a place
// follows it, with the service's health. It reconciles: each place is a target, to which the desired state is applied
// until it is observed there. A command that takes traffic away is durable before it is carried out; what a dead agent
// left away is known from that record and from what the places themselves say. Loop thread; outlives those who command.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "recover/traffic/traffic.h"

namespace state {
class State;
}  // namespace state

namespace recover {

struct TrafficStatus {
  std::string service;
  DesiredState desired;
  std::vector<std::string> troubles;  // "nginx upstream order: …": targets where it is not observed yet, and why
  struct Place {
    std::string name;     // "nginx upstream order"
    std::string trouble;  // why the last change, or the next one, does not work there; "" if nothing is wrong
  };
  std::vector<Place> places{};
};

class TrafficController {
 public:
  static constexpr base::Millis kAgain{10'000};  // until a target that failed is tried again
  static constexpr base::Millis kWatch{5'000};   // between looks at what may have been lost or is not there
  static constexpr base::Millis kLimit{30'000};  // of a turn without a command
  static constexpr int kRampSteps = 4;           // of a slow start, after its first

  TrafficController(TrafficContext context, state::State& state);
  ~TrafficController();

  // A service whose change is under way is exchanged when that has ended. Desired state and health of a service stay.
  // One that is not in `services` any more, also since an agent before this one, stays until its traffic is back.
  void replace(std::vector<std::unique_ptr<const TrafficSpec>> services);
  void on_health(const std::string& service, model::Health health, const std::string& text);

  struct Command {
    Flow to = Flow::live;
    base::Millis slow_start{0};  // for live: from the first small share to the whole weight
    base::Instant deadline{};
  };
  // `done` once, in a later turn, when it is observed at all targets. If one cannot be drained, those that were are put
  // back. A slow start is done when its first share is in effect. It goes on by itself, starts again after a failure of
  // the service or of the agent, and ends with the next command. Refused for a service without traffic. Dropping the
  // Handle stops waiting, not the change; a later command of the service takes the place of an earlier one.
  loop::Handle apply(const std::string& service, const Command& command, std::function<void(ActionResult)> done);

  // Whether a load balancer of the service can say that people have taken it out; and asks them: `done` once, in a
  // later turn, with what a person should know, or "". One that is silent holds up the answer: who asks has a limit.
  bool knows_drains(const std::string& service) const;
  loop::Handle ask_drained(const std::string& service, base::Instant deadline, std::function<void(std::string)> done);

  // Nothing is under way and the service is without the traffic that a command took away, or that its health did and
  // that is not followed any more.
  bool left_drained(const std::string& service) const;
  std::vector<std::string> all_left_drained() const;
  std::vector<TrafficStatus> statuses() const;

 private:
  struct Rep;
  std::shared_ptr<Rep> rep_;
};

}  // namespace recover
