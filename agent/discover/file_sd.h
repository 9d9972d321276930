// The targets of some files, kept up to date: patterns, watched folders, and a look from time to time for what no watch
// sees. A file that cannot be read or understood keeps what it said when it last could; one that is gone has no targets
// any more. Loop thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "discover/target.h"
#include "loop/scheduler.h"
#include "os/folder_watch.h"

namespace discover {

struct FileSdSettings {
  std::vector<std::string> patterns;  // absolute
  base::Millis refresh_interval{300'000};
};

// One file as it was read last.
struct FileStatus {
  std::string path;
  std::size_t targets = 0;
  std::string error;  // why what is in it now is not what counts; "" if it is
};

class FileSd {
 public:
  // The files are read before it returns. `changed` when targets or errors are others, never from inside the
  // constructor.
  FileSd(FileSdSettings settings, loop::Scheduler& scheduler, os::FolderWatcher& folders,
         std::function<void()> changed);

  // In the order of files and of their lines. A target that is listed twice with one set of labels is one.
  std::vector<Target> targets() const;
  std::vector<FileStatus> files() const;

 private:
  struct File {
    std::optional<std::string> text;  // none before it was read once: an empty file is a mistake, too
    std::vector<Target> targets;
    std::string error;
    friend bool operator==(const File&, const File&) = default;
  };

  void read_all();
  static void read(const std::string& path, File& file);
  void look();
  void look_soon();
  void watch_folders();
  void arm();

  FileSdSettings settings_;
  loop::Scheduler& scheduler_;
  os::FolderWatcher& folders_;
  std::function<void()> changed_;
  std::map<std::string, File> files_;  // by path
  std::map<std::string, loop::Handle> watches_;
  loop::Handle refresh_, soon_;
};

}  // namespace discover
