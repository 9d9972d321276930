// The installed prometheus-blackbox-exporter, asked as Prometheus asks it.
#pragma once

#include <string>

#include "base/unique_fd.h"
#include "bench/probe_cost/target.h"

namespace bench {

inline constexpr const char* kExporter = "/usr/bin/prometheus-blackbox-exporter";

// Starts it on a free port, which it names in its log. Its modules: http, tcp, and https, which trusts `authority`.
pid_t start_exporter(const std::string& authority, int& port);

// Sends /probe requests on one connection that stays: the asking must not cost the exporter more than Prometheus'
// would.
class Asker {
 public:
  Asker(int exporter_port, const std::string& module, const std::string& target);
  // Once, to the end of the answer. Ends the program if the probe did not succeed.
  void ask();

 private:
  base::UniqueFd fd_;
  std::string request_;
};

}  // namespace bench
