// ${NAME} in the configuration. As for Prometheus, global.external_labels alone are filled in from the agent's
// environment. Elsewhere such a text would be taken as it stands, and a message would be signed with the word
// ${SECRET}: it is a mistake, but where the text has variables of its own (journeys, templates of targets, groups of an
// expectation, commands).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "config/node.h"
#include "model/labels.h"

namespace config {

// Mistakes go to `errors`. `root` is that of the configuration file.
void check_variables(const Node& root, Errors& errors);

using Environment = std::function<std::optional<std::string>(const std::string& name)>;
std::optional<std::string> from_environment(const std::string& name);

// $NAME and ${NAME} have a value of the environment, $$ is a dollar. A name that it does not have goes to `errors`, at
// the value's place in `node`.
model::Labels expanded(const model::Labels& labels, const Node& node, const Environment& environment, Errors& errors);

}  // namespace config
