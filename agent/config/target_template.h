// What every entry of a list of targets has, whichever source names them: the probe that each target gets. Its keys
// stand beside the source's own.
#pragma once

#include <string>
#include <vector>

#include "config/schema.h"

namespace config {

struct TargetTemplate {
  Node probe;                             // for probe::ProbeTemplate
  std::vector<std::string> allow_labels;  // keys of it that a target's label __probe_KEY may set beside the harmless
  Node place;
};

const Schema<TargetTemplate>& target_template_schema();

}  // namespace config
