// The files that a service is made of, as far as everybody may see them: its unit and drop-ins, the program and the
// files that its command line and its unit name. Blocking; some ten milliseconds for a thousand processes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/node_change.h"
#include "os/unit_processes.h"

namespace os {

struct FilesQuestion {
  std::string unit;                       // "": not under systemd
  std::uint16_t port = 0;                 // where it is probed; 0: none
  std::vector<model::FileStamp> known{};  // of the look before: what of it is gone is said
};

// By service. `unit_folders`: where systemd reads units from, the first that has one counts.
std::map<std::string, std::vector<model::FileStamp>> stamps_of(const std::map<std::string, FilesQuestion>& services,
                                                               const std::vector<std::string>& unit_folders,
                                                               const KernelFiles& files = {});

// The absolute paths in a command line, "/usr/sbin/order" and /etc/order.yml of "--config=/etc/order.yml". Not those
// of logs, sockets and what else a program writes.
std::vector<std::string> paths_in(const std::vector<std::string>& words);

// What dpkg.log says of packages after `since`: "upgrade libssl3:amd64 3.0.13 to 3.0.14". Its times are local ones.
std::vector<model::NodeChange> package_changes(std::string_view log, base::WallTime since);

}  // namespace os
