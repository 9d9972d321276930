// `fettle audit-log`: the audit trail of the running agent, and whether its chain of hashes is whole. Exit code 0; 1 if
// it is not whole; 3 if the agent does not answer.
#pragma once

#include <cstddef>
#include <string>

#include "cli/status.h"

namespace cli {

// `service`: only what is about it; "": all. `last`: so many entries, the newest; 0: all. The chain is checked where
// nothing is left out between the entries, so not with a service.
int run_audit_log(const StatusOptions& options, const std::string& service, std::size_t last);

}  // namespace cli
