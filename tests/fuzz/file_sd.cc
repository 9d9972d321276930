// Lists of targets, in JSON or YAML.
#include "discover/target.h"
#include "fuzz/fuzz.h"

void fuzz::one_input(std::string_view bytes) {
  config::Errors errors;
  const auto targets = discover::parse_targets(bytes, "targets.json", errors);
  require(targets.size() <= discover::kMostTargets, "there is a most of targets");
  require(errors.empty() == errors.text().empty(), "mistakes have texts");
}
