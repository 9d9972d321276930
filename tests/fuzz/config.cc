// The agent's configuration with the probes in it, and how pages show it.
#include "config/agent_config.h"
#include "config/redact.h"
#include "fuzz/fuzz.h"
#include "probe/spec.h"

void fuzz::one_input(std::string_view bytes) {
  config::Errors errors;
  const config::AgentConfig read = config::parse_agent_config(bytes, "fettle.yml", errors);
  for (const auto& [name, service] : read.services) probe::parse_probes(name, service, read.global, errors);
  errors.short_text();
  config::secrets_of(read.root);
  const std::string shown = config::shown_config(read.root);
  config::Errors of_shown;
  config::Node::parse(shown, "shown.yml", of_shown);
  require(of_shown.empty(), "what pages show is YAML: " + of_shown.text());
}
