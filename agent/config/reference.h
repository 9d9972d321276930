// The page that `fettle check config --print-reference` prints: every key with its default and its help, made from the
// schemas and so never out of date.
#pragma once

#include <string>
#include <vector>

#include "config/schema.h"

namespace config {

struct ReferenceSection {
  std::string title;  // "fettle.yml", "probe type http"
  std::string intro;  // a sentence, may be empty
  std::vector<KeyReference> keys;
  std::string example{};  // YAML, printed as it is before the keys; may be empty
};

// Plain text, at most 100 columns where words allow it.
std::string print_reference(const std::vector<ReferenceSection>& sections);

}  // namespace config
