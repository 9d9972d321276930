// One service's place behind a load balancer: it can be taken out and put back. An adapter per load balancer is in
// traffic/. Const and shared by the actions and the plan of the service; what changes is outside, in files and daemons.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "config/schema.h"
#include "recover/action.h"

namespace recover {

enum class Flow { live, drained };

class Traffic {
 public:
  virtual ~Traffic() = default;
  // `done` once, in a later turn: "ok" when the load balancer works with it, or why it does not; then it works as
  // before. Turning to what already is does nothing, but proves it. Dropping the Handle stops waiting, not the turn.
  virtual loop::Handle turn(Flow to, const Context& context, const std::string& service, base::Instant deadline,
                            std::function<void(ActionResult)> done) const = 0;
  // An agent took the service out and ended before it put it back, or in the middle of a turn.
  virtual bool left_drained(const std::string& service) const = 0;
  // What a turn asks of systemd, if it does: the polkit rule is made of these.
  virtual std::optional<SystemdJob> systemd_job() const = 0;
  virtual std::string text() const = 0;  // "nginx upstream order"
};

// `services.NAME.traffic`. Null if it is absent or has a mistake.
std::shared_ptr<const Traffic> parse_traffic(const config::Node& node, const std::string& path, config::Errors& errors);

}  // namespace recover
