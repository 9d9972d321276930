// The programs that a drill runs: with what they are run, and what their ends mean.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "loop/blocking_pool.h"
#include "os/subprocess.h"
#include "recover/drill/scratch.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace recover {

struct DrillContext {
  loop::Scheduler& scheduler;
  os::Spawner& spawner;
  loop::BlockingPool& blocking_pool;
};

// A program in the scratch folder, in the background, until `deadline` at the latest.
os::Command drill_command(const DrillContext& context, const Scratch& scratch, base::Instant deadline,
                          std::map<std::string, std::string> environment, std::vector<std::string> argv);
// The line of what a program printed that says what went wrong, or its first.
std::string complaint_in(const std::string& text);
// How a program ended that should have ended well: "restic ended with exit code 1: wrong password"; "" if it did.
std::string failure_of(const std::string& name, const base::Result<os::Finished>& finished);

}  // namespace recover
