// Targets in Prometheus' words: a group has targets and labels, {targets: [HOST:PORT, …], labels: {NAME: VALUE}}.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "config/schema.h"
#include "config/target_template.h"
#include "model/labels.h"

namespace discover {

struct Target {
  std::string address;            // as listed: HOST:PORT, a URL, a path
  model::Labels labels;           // of its group, those with __ in front included, and __meta_… of its source
  config::DeclaredProbe probe{};  // where the source knows it
  friend bool operator==(const Target&, const Target&) = default;
};

struct TargetGroup {
  std::vector<std::string> targets;
  model::Labels labels;
};

config::Schema<TargetGroup> target_group_schema(const char* name);

// Of one file: what all its targets and their labels may come to, each target with the labels of its group. More is a
// mistake of the file.
inline constexpr std::size_t kMostTargets = 10'000;
inline constexpr std::size_t kMostBytes = 4 * 1024 * 1024;

// All targets of a file_sd file, JSON or YAML, with __meta_filepath; or its mistakes. A file without a word is one.
// `file` is its path.
std::vector<Target> parse_targets(std::string_view text, const std::string& file, config::Errors& errors);

}  // namespace discover
