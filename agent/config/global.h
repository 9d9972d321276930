// The section `global` of fettle.yml: what holds for all services unless one says otherwise.
#pragma once

#include <cstddef>
#include <string>

#include "base/time.h"
#include "config/node.h"
#include "model/labels.h"

namespace config {

// What the recovery plans of all services share.
struct NodeRecovery {
  int plans_at_once = 2;
  int actions_per_hour = 5;
  std::string pause_file = "/run/fettle/pause";
};

// How many probes may run at the same time; the others wait.
struct ProbesAtOnce {
  std::size_t all = 0;  // 0: half of the descriptors that the agent may have open
  Node by_type;         // for probe::parse_limits; null if absent
};

struct Global {
  base::Millis interval{5000};
  base::Millis timeout{2000};
  base::Millis evaluation_interval{0};  // 0: as `interval`
  model::Labels external_labels;
  std::string node;            // name of this node; "": the host's name
  std::string job = "fettle";  // the label a scrape would add
  std::string instance;        // "": <node>:10911
  NodeRecovery recovery;
  ProbesAtOnce probes_at_once;
};

}  // namespace config
