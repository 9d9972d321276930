// What `fettle init` sees of its node, and the services that it finds in it. Pure, but for look_at_node().
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "net/tcp_sockets.h"
#include "os/running_processes.h"

namespace app {

struct NodeView {
  std::vector<os::RunningProcess> processes;
  std::map<std::uint64_t, std::string> units_by_cgroup;
  std::vector<net::TcpSocket> listening, established;
  std::set<std::string> own_units;  // whose files an administrator has written, below /etc/systemd/system
  std::vector<std::string> unseen;  // what could not be looked at, and why: a sentence each
};

// As the user who asks: never fails, says in `unseen` what is missing.
NodeView look_at_node();

struct FoundPort {
  std::string host;  // that a probe connects to: 127.0.0.1 for a socket on all addresses
  std::uint16_t port = 0;
};

struct FoundService {
  std::string name;     // of the unit, or of the program
  std::string unit;     // "": none
  std::string program;  // "": not known
  std::vector<FoundPort> ports;
  std::vector<std::string> depends_on;  // services of this node that it has connections to
};

struct FoundServices {
  std::vector<FoundService> services;  // by name
  std::vector<std::string> left_out;   // a sentence each: units that were left out, circles, ports that are too many
};

// Every unit that listens on TCP or is the administrator's own, and every port without a known unit. Whose a socket is,
// is known by its control group, its process, or by its user if one unit alone runs as that user. fettle itself is left
// out.
FoundServices find_services(const NodeView& node);

}  // namespace app
