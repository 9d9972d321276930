// Takes traffic away from the service before a step that interrupts it.
#include "config/node.h"
#include "recover/types/traffic.h"

namespace recover {
namespace {

std::unique_ptr<const Action> parse(const config::Node& node, const std::string& path, const ActionOwner& owner,
                                    config::Errors& errors) {
  return parse_traffic_action("drain", Flow::drained, node, path, owner, errors);
}

}  // namespace

extern const ActionType drain_type;
const ActionType drain_type{"drain", "Takes the service out of the load balancer.", "drain", parse};

}  // namespace recover
