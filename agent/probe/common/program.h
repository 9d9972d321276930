// A program that a probe runs and whose output it reads.
#pragma once

#include <functional>
#include <string>

#include "base/time.h"
#include "config/node.h"
#include "loop/handle.h"
#include "os/subprocess.h"
#include "probe/probe.h"

namespace probe {

// Runs `command` until the deadline at the latest; then its whole process tree is killed. `done` comes once, in a later
// turn. An error says that the program was not run at all: others than root and the agent's user could have put it
// there (os/program_file.h, asked at each run), or it does not start. Such a run says nothing about the service: give
// it to failure_at() with Reason::agent_overloaded.
loop::Handle run_program(const Context& context, os::Command command, base::Instant deadline,
                         std::function<void(base::Result<os::Finished>)> done);

// When a configuration is read: whether the program at this place may be run. What an administrator mends before
// anything is run is a mistake; a program that is not there, or that the agent cannot look at, is a warning.
void check_program(const std::string& program, const config::Mark& at, const std::string& path, config::Errors& errors);

}  // namespace probe
