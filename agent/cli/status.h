// `fettle status`, `alerts`, `fleet`, `explain`: what the running agent knows, for a terminal. Exit code 0 if all is
// well, 1 if something is down or firing, 2 if the agent does not know the name, 3 if it does not answer.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/terminal.h"
#include "cli/client.h"

namespace cli {

struct StatusOptions {
  AgentAddress agent;
  bool json = false;  // the API's answer as it is
};

// What `show` makes of the data of the agent's answer, an exit code; or 2 or 3, with a complaint on standard error.
int ask(const StatusOptions& options, const std::string& path,
        const std::function<int(const nlohmann::ordered_json& data)>& show);

// "enforce: acting (dependencies)": what the recovery of a service does, in one cell.
std::string recovery_of(const nlohmann::ordered_json& service);
base::Tone tone_of(const std::string& health);

// Of the named services; of all, if none is named. A name that the agent does not know is a mistake of the line (2).
int run_status(const StatusOptions& options, const std::vector<std::string>& services);
int run_alerts(const StatusOptions& options);
// Who is up, who acts and who waits over all nodes; 1 also if the store does not answer.
int run_fleet(const StatusOptions& options);
int run_explain(const StatusOptions& options, const std::string& service);

}  // namespace cli
