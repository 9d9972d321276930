// Whose a TCP socket is: by its process, by its control group, or by its user if one unit alone runs as that user.
// Pure.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "app/node/node_view.h"

namespace app {

struct SocketOwner {
  std::string unit;     // "": none, or not known
  std::string program;  // "": not known
  // Without a unit: the first of the processes that share their listening sockets, as the workers of one server do. 0:
  // not known.
  pid_t process = 0;
};

// The NodeView must outlive it.
class SocketOwners {
 public:
  explicit SocketOwners(const NodeView& node);

  SocketOwner of(const net::TcpSocket& socket) const;
  std::string program_of(const std::string& unit) const;
  std::set<std::string> units() const;  // that run, without those of systemd itself and fettle's

 private:
  void join_processes();
  pid_t first_of(const os::RunningProcess& process) const;

  const NodeView& node_;
  std::map<std::uint64_t, const os::RunningProcess*> by_inode_;
  std::map<uid_t, std::set<std::string>> units_of_user_;
  std::map<std::string, std::set<std::string>> programs_;
  std::map<pid_t, pid_t> parents_;
  std::map<pid_t, pid_t> first_;  // of processes without a unit that listen
};

// systemd's own units, which it watches itself, and fettle's.
bool is_of_system(const std::string& unit);
// A process of fettle, also one that runs under no unit.
bool is_own_program(const std::string& program);

}  // namespace app
