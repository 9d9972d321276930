// What the kernel and systemd show of this node to the user who asks: processes, units, TCP sockets. For the command
// line only: it blocks.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "net/tcp_sockets.h"
#include "os/running_processes.h"

namespace app {

struct NodeView {
  std::vector<os::RunningProcess> processes;
  std::map<std::uint64_t, std::string> units_by_cgroup;
  std::vector<net::TcpSocket> listening, established;
  std::set<std::string> own_units;    // whose files an administrator has written, below /etc/systemd/system
  std::vector<std::string> unseen;    // what could not be looked at, and why: a sentence each
  std::set<std::string> addresses{};  // of this node's interfaces
  std::string host_name{};            // "": not known
  std::pair<std::uint16_t, std::uint16_t> ephemeral{32'768, 60'999};  // ports that the kernel gives: first and last
};

// As the user who asks: never fails, says in `unseen` what is missing.
NodeView look_at_node();

}  // namespace app
