// Tells when files of a folder are written, renamed, made or removed (inotify). What happened is not told: the one who
// watches looks for himself. Where the kernel has no watch to give, or a folder does not exist, that is an error, and
// looking again from time to time is what is left.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "loop/handle.h"

namespace loop {
class EventLoop;
}  // namespace loop

namespace os {

class FolderWatcher {
 public:
  virtual ~FolderWatcher() = default;
  // `changed` in a turn of its own, once for what happened together. Dropping the Handle silences it.
  virtual base::Result<loop::Handle> watch(const std::string& folder, std::function<void()> changed) = 0;
};

class FolderWatch final : public FolderWatcher {
 public:
  explicit FolderWatch(loop::EventLoop& loop) : loop_(loop) {}
  base::Result<loop::Handle> watch(const std::string& folder, std::function<void()> changed) override;

 private:
  loop::EventLoop& loop_;
};

}  // namespace os
