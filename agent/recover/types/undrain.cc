// Gives traffic back to the service at the end of a run.
#include "config/node.h"
#include "recover/types/traffic.h"

namespace recover {
namespace {

std::unique_ptr<const Action> parse(const config::Node& node, const std::string& path, const ActionOwner& owner,
                                    config::Errors& errors) {
  return parse_traffic_action("undrain", Flow::live, node, path, owner, errors);
}

}  // namespace

extern const ActionType undrain_type;
const ActionType undrain_type{"undrain", "Gives the service its traffic back.", "undrain", parse};

}  // namespace recover
