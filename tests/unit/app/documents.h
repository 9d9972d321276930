// The parts of packaging/doc and packaging/man that are made from schemas and tables.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/reference.h"

namespace documents {

// A list, with the keys of nested mappings below their own.
std::string markdown(const std::vector<config::KeyReference>& keys, std::size_t depth = 0);
// All probe types: summary, example, the keys of all and those of each, and what it measures.
std::string probe_types();
// Name and meaning of every metric, by name: those of probes, and those that the sources name, about services and
// agent.
struct Metric {
  std::string name, help, labels;
};
std::vector<Metric> probe_metrics();
std::vector<Metric> agent_metrics();
std::string metrics_markdown();
std::string metrics_manual();
// fettle.yml(5).
std::string configuration_manual();

}  // namespace documents
