// From lists of targets to probes: each service's file_sd_configs, with the template of each. Loop thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "discover/file_sd.h"
#include "probe/discovered.h"

namespace app {

// One entry of a file_sd_configs, as the configuration has it.
struct Discovery {
  discover::FileSdSettings files;
  probe::ProbeTemplate probe;
};

// What pages and metrics say of one file.
struct DiscoveryStatus {
  std::string service;
  discover::FileStatus file;
  bool of_target = false;  // its error is that of a target, and the file itself was read
};

class Discoveries {
 public:
  // `changed` when targets or the state of a file are others than before.
  Discoveries(loop::Scheduler& scheduler, os::FolderWatcher& folders, std::function<void()> changed)
      : scheduler_(scheduler), folders_(folders), changed_(std::move(changed)) {}

  // Those of a new configuration; their files are read at once. A target takes no name of a `configured` probe.
  void replace(std::vector<Discovery> discoveries, const std::vector<probe::Spec>& configured);
  // A probe for each target. What does not fit is left out, logged once, and stands in statuses() as its file's error,
  // with the first reason and a number; `refused` hears all of them.
  using OnRefused = std::function<void(const std::string& why)>;
  std::vector<probe::Spec> specs(const probe::BlackboxModules& modules, const OnRefused& refused = nullptr);
  std::vector<DiscoveryStatus> statuses() const;

 private:
  struct Source {
    probe::ProbeTemplate probe;
    std::unique_ptr<discover::FileSd> files;
  };
  loop::Scheduler& scheduler_;
  os::FolderWatcher& folders_;
  std::function<void()> changed_;
  std::vector<Source> sources_;
  std::set<std::pair<std::string, std::string>> configured_;  // service and name of probes that no list made
  struct Refused {
    std::string why;  // of the first target that does not fit
    std::size_t targets = 0;
  };
  std::map<std::string, Refused> refused_;  // by file
};

}  // namespace app
