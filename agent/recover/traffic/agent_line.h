// What a service says to HAProxy's agent-check: one line of words that HAProxy obeys (its manual, "agent-check"). Only
// words are written of which no state stays behind: after `drain` or `maint` the next healthy answer says `up ready`
// and the weight, which undoes all. Pure.
#pragma once

#include <string>

#include "recover/traffic/traffic.h"

namespace recover::traffic {

struct AgentWords {
  std::string drained = "drain";  // or maint: HAProxy's own checks stop too
  std::string down = "down";      // or fail, stopped: the same for traffic, another word on HAProxy's page
};

// "up ready 100%\n", "drain\n", "down # http: connection refused\n". While the health is unknown an empty line: HAProxy
// keeps what it has. A blank stands before the '#', or HAProxy refuses the line.
std::string agent_line(const DesiredState& desired, const AgentWords& words);

}  // namespace recover::traffic
