// One step of a journey as the file has it: a request with variables in it, what its answer must be like, and what
// later steps take from it.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/schema.h"
#include "probe/http/capture.h"
#include "probe/http/http_checks.h"
#include "probe/http/template.h"

namespace probe {

using HeaderTemplates = std::vector<std::pair<std::string, Template>>;

struct StepRequest {
  std::string method;  // "": GET, or POST if there is a body
  Template url;
  HeaderTemplates headers;
  std::optional<Template> body;  // of body, json or form
  std::string content_type;      // that goes with json and form
  int bodies = 0;                // how many of the three were given
};

struct JourneyStep {
  std::string name;
  StepRequest request;
  HttpChecks expect;
  std::vector<std::pair<std::string, Capture>> capture;
  base::Millis timeout{0};  // 0: what is left of the run
  bool always = false;
  config::Node place;
};

const config::Schema<JourneyStep>& journey_step_schema();
// A mapping of names to texts with variables.
void read_header_templates(const config::Node& node, HeaderTemplates& out, const std::string& path,
                           config::Errors& errors);

// Names that need a value before the step can begin, without those in `expect`.
std::vector<std::string> variables_of(const StepRequest& request);

// Completes what the schema cannot know: the method, groups of captures; and complains about steps that have the same
// name, variables that no earlier step captures, and URLs that lead nowhere. `known`: variables of the whole journey;
// `steps` stands at `path`.
void prepare_steps(std::vector<JourneyStep>& steps, std::vector<std::string> known, const std::string& base_url,
                   const std::string& path, config::Errors& errors);

// The words of an assertion with the variables' values in them.
JsonScalar filled(const JsonScalar& scalar, const Variables& variables);

}  // namespace probe
