// The reference of the configuration: every key of the file and of every probe, action and receiver type, made from
// their schemas.
#pragma once

#include <string>
#include <vector>

#include "config/reference.h"

namespace app {

std::vector<config::ReferenceSection> reference_sections();
std::string reference_page();

// All of it, or the sections of a topic: "http", "recovery", "slack_configs". 2 if there is no such topic, with those
// that there are on standard error.
int print_reference(const std::string& topic);

}  // namespace app
