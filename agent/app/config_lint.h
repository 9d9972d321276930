// Names in a configuration that refer to something and match nothing. The configuration loads all the same, because
// what is missing may come later: each finding is a warning with its place.
#pragma once

#include <string>
#include <vector>

#include "app/loaded_config.h"

namespace app {

// Plans whose `when` and routes whose matchers no alert of the rules can have.
void warn_of_what_matches_nothing(const LoadedConfig& loaded, config::Errors& errors);

// Services whose unit has no file in systemd's folders: a question about this node, so that only who runs there asks
// it.
void warn_of_units(const LoadedConfig& loaded, const std::vector<std::string>& folders, config::Errors& errors);
std::vector<std::string> unit_folders();  // empty: this node has no systemd to know
// Whether one of the folders has the unit's file, or the template of an instance. True without folders.
bool has_unit_file(const std::string& unit, const std::vector<std::string>& folders);

// Why a pattern of files fits nothing, beyond that no file is there; "" for nothing known.
std::string pattern_hint(const std::string& pattern);

}  // namespace app
