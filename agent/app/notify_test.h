// `fettle notify test`: whether a receiver of the configuration can be reached, without an agent.
#pragma once

#include <string>

#include "base/output_form.h"

namespace app {

// Sends one message by each integration of the receiver, at once; it is not kept and not tried again. A line for each
// place on standard output; as JSON {"receiver","ok","mistakes","messages":[{"integration","target","taken","text"}]}.
// 0 if all have taken it, else 1.
int notify_test(const std::string& config_file, const std::string& receiver, base::OutputForm form);

}  // namespace app
