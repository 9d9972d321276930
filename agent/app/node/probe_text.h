// A probe that fits a port, as a configuration has it: YAML in one line.
#pragma once

#include <string>

#include "app/node/probe_choice.h"

namespace app {

// {name: http, type: http, url: "http://127.0.0.1:80/"}
std::string probe_text(const ChosenProbe& probe, const std::string& name);
// Plain where YAML takes it for the same text, a list as it stands, else in double quotes.
std::string yaml_text(const std::string& text);

}  // namespace app
