// Commands that change something: over the admin socket only.
#pragma once

#include <string>

namespace cli {

int run_reload(const std::string& socket);
int run_maintenance(const std::string& socket, const std::string& state, const std::string& service,
                    const std::string& comment);

}  // namespace cli
