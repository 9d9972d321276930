// The servers of a HAProxy backend, from what its runtime API answers. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace recover::traffic {

struct BackendServer {
  std::string name;
  std::string status;  // "UP", "UP 1/3", "DOWN", "DRAIN", "MAINT (via b/s)", "no check"
  int weight = 0;      // in effect
  int sessions = 0;    // under way

  // Taken out by a command, of fettle or of a person.
  bool is_out() const { return status.starts_with("DRAIN") || status.starts_with("MAINT"); }
  // Takes new requests.
  bool is_usable() const { return (status.starts_with("UP") || status == "no check") && weight > 0; }
};

// The servers of one backend from `show stat -1 4 -1`: asked by its name, HAProxy would answer for a frontend that has
// the same one. Columns are found by the names in the first line, so that it does not matter which HAProxy it is.
base::Result<std::vector<BackendServer>> parse_stat(const std::string& csv, std::string_view backend);

// What commands, and nothing else, have made of a server; not what checks or a tracked server make of it.
enum class AdminState { ready, drain, maintenance };

// From `show servers state BACKEND`.
base::Result<AdminState> parse_admin_state(const std::string& table, const std::string& server);

}  // namespace recover::traffic
