// One agent per state folder: an flock on <folder>/fettle.lock, which the kernel drops with the process, however it
// ends. The file holds the owner's pid for the message of the second one.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace state {

class FolderLock {
 public:
  explicit FolderLock(std::string folder) : folder_(std::move(folder)) {}

  // Takes the lock, and takes it again if the file on its path is not the one that is held: it may have been removed
  // with the whole folder, which is made again then. Kind::unavailable: another agent has it; other errors: the lock
  // file can be neither made nor opened. The first time it waits for up to 2 s while the one that had it is gone and
  // what it was just starting still has it. Held until this object goes or hold() fails. One thread at a time.
  base::Result<> hold();
  // Whether the file on the path is the one that is held.
  bool held() const;

 private:
  std::string folder_;
  base::UniqueFd file_;
};

}  // namespace state
