// From lists of targets to probes: each service's file_sd_configs and the like, with the template of each. Loop thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "discover/source.h"
#include "probe/discovered.h"

namespace app {

// One entry, as the configuration has it.
struct Discovery {
  discover::Entry source;
  probe::ProbeTemplate probe;
};

// What pages and metrics say of one list of targets, over all entries of the service that have it.
struct SourceStatus {
  std::string service;
  std::string name;
  std::size_t targets = 0;  // of the last good answer
  std::string error{};      // all mistakes, a line each, without an end of line; "" if what is there now counts
  bool of_target = false;   // `error` is that of a target, and the list itself was read
  std::optional<base::WallTime> refreshed{}, failing_since{};
};

class Discoveries {
 public:
  // `changed` when targets or the state of a source are others than before.
  Discoveries(const discover::Context& context, std::function<void()> changed)
      : context_(context), changed_(std::move(changed)) {}

  // Those of a new configuration. A source that it does not change goes on, with what it last knew, and is asked anew.
  // A target takes no name of a `configured` probe.
  void replace(std::vector<Discovery> discoveries, const std::vector<probe::Spec>& configured);
  // A probe for each target. What does not fit is left out, logged once, and stands in statuses() as its list's error,
  // with the first reason and a number; `refused` hears all of them.
  using OnRefused = std::function<void(const std::string& why)>;
  std::vector<probe::Spec> specs(const probe::BlackboxModules& modules, const OnRefused& refused = nullptr);
  std::vector<SourceStatus> statuses() const;

 private:
  struct Running {
    probe::ProbeTemplate probe;
    std::string identity;
    std::unique_ptr<discover::Source> source;
  };
  discover::Context context_;
  std::function<void()> changed_;
  std::vector<Running> running_;
  std::set<std::pair<std::string, std::string>> configured_;  // service and name of probes that no list made
  struct Refused {
    std::string why;  // of the first target that does not fit
    std::size_t targets = 0;
  };
  std::map<std::pair<std::string, std::string>, Refused> refused_;  // by service and list
};

}  // namespace app
