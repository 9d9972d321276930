// What every entry of a list of targets has, whichever source names them: the probe that each target gets. Its keys
// stand beside the source's own.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/schema.h"

namespace config {

struct TargetTemplate {
  Node probe;                             // for probe::ProbeTemplate
  std::vector<std::string> allow_labels;  // keys of it that a target's label __probe_KEY may set beside the harmless
  Node place;
};

const Schema<TargetTemplate>& target_template_schema();

// The probe that a source itself knows for a target, such as the one that a pod declares: for templates without a type.
// What is in it may come from others; the source alone says the type and whom TLS trusts.
struct DeclaredProbe {
  std::string type{};
  // Keys of it, where the template has none: as labels would set them, up to Reach::listed. Those of time (interval,
  // timeout, fast_interval) only if the template has none of them.
  std::vector<std::pair<std::string, std::string>> keys{};
  bool any_certificate = false;  // TLS, whichever server answers
  std::string impossible{};      // why there is none that the agent can make; "" if it can
  friend bool operator==(const DeclaredProbe&, const DeclaredProbe&) = default;
};

}  // namespace config
