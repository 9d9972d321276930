// Prometheus' rule files, with their expressions and templates.
#include "fuzz/fuzz.h"
#include "rules/manager.h"

void fuzz::one_input(std::string_view bytes) {
  config::Errors errors;
  auto groups = config::parse_rule_file(bytes, "rules.yml", errors);
  if (errors.empty()) rules::compile(std::move(groups), promql::Compat::v3, errors);
  require(errors.empty() == errors.text().empty(), "mistakes have texts");
}
