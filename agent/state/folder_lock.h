// One agent per state folder: an flock on <folder>/fettle.lock, which the kernel drops with the process, however it
// ends. The file holds the owner's pid for the message of the second one.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace state {

// Makes the folder if it is not there. Held as long as the descriptor is open. Kind::unavailable: another agent has it;
// other errors: the lock file can be neither made nor opened.
base::Result<base::UniqueFd> lock_folder(const std::string& folder);

}  // namespace state
