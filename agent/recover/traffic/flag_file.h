// A file that says how a service stands, for programs that read files: keepalived's track_file, a health check page, a
// script. Written only when it changes, as a whole, and not while the health is unknown.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "recover/traffic/traffic.h"

namespace recover::traffic {

struct Flag {
  std::string path;
  std::optional<std::string> in, out;  // content while the service takes requests, and while not; none: no file
};

class FlagFile final : public Adapter {
 public:
  FlagFile(Flag flag, loop::Scheduler& scheduler) : flag_(std::move(flag)), scheduler_(scheduler) {}
  loop::Handle apply(const DesiredState& to, base::Instant deadline, std::function<void(ApplyResult)> done) override;

 private:
  Flag flag_;
  loop::Scheduler& scheduler_;
};

}  // namespace recover::traffic
