// Targets as Prometheus' file_sd format lists them: [{targets: [HOST:PORT, …], labels: {NAME: VALUE}}], in JSON or
// YAML.
#pragma once

#include <cstddef>
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

// Of one file: what all its targets and their labels may come to, each target with the labels of its group. More is a
// mistake of the file.
inline constexpr std::size_t kMostTargets = 10'000;
inline constexpr std::size_t kMostBytes = 4 * 1024 * 1024;

// All targets of a file, or its mistakes; a file without a word is one. `file` is its path.
std::vector<Target> parse_targets(std::string_view text, const std::string& file, config::Errors& errors);

}  // namespace discover
