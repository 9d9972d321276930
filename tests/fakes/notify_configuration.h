// What a file with receivers, route, inhibit_rules and time_intervals makes of them.
#pragma once

#include <string>

#include "config/agent_config.h"
#include "config/node.h"
#include "notify/notifications.h"

namespace fakes {

inline notify::Configuration notify_configuration(const std::string& yaml, config::Errors& errors) {
  const config::Node whole = config::Node::parse(yaml, "fettle.yml", errors);
  config::AgentConfig config;
  config.root = whole;
  for (const config::Node& pattern : whole.find("templates").items()) config.templates.push_back(pattern.scalar());
  config.receivers = whole.find("receivers").items();
  config.route = whole.find("route");
  config.inhibit_rules = whole.find("inhibit_rules");
  config.time_intervals = whole.find("time_intervals");
  config.mute_time_intervals = whole.find("mute_time_intervals");
  return notify::parse_settings(config, errors);
}

}  // namespace fakes
