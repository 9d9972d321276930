// Targets as Prometheus' file_sd format lists them: [{targets: [HOST:PORT, …], labels: {NAME: VALUE}}], in JSON or
// YAML.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/node.h"
#include "model/labels.h"

namespace discover {

struct Target {
  std::string address;   // as listed: HOST:PORT, a URL, a path
  model::Labels labels;  // of its group, those with __ in front included, and __meta_filepath
  friend bool operator==(const Target&, const Target&) = default;
};

// All targets of a file, or its mistakes. `file` is its path.
std::vector<Target> parse_targets(std::string_view text, const std::string& file, config::Errors& errors);

}  // namespace discover
