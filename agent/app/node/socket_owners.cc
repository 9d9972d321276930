#include "app/node/socket_owners.h"

namespace app {
namespace {

constexpr const char* kOwnUnit = "fettle.service";
constexpr const char* kOwnProgram = "fettle";

}  // namespace

bool is_of_system(const std::string& unit) { return unit.starts_with("systemd-") || unit == kOwnUnit; }
bool is_own_program(const std::string& program) { return program == kOwnProgram; }

SocketOwners::SocketOwners(const NodeView& node) : node_(node) {
  for (const os::RunningProcess& process : node.processes) {
    for (const std::uint64_t inode : process.sockets) by_inode_.emplace(inode, &process);
    parents_[process.pid] = process.parent;
    if (process.unit.empty() || is_of_system(process.unit)) continue;
    units_of_user_[process.user].insert(process.unit);
    programs_[process.unit].emplace(process.program);
  }
  join_processes();
}

void SocketOwners::join_processes() {
  std::set<std::uint64_t> listening;
  for (const net::TcpSocket& socket : node_.listening)
    if (socket.inode != 0) listening.insert(socket.inode);
  std::map<std::uint64_t, pid_t> first_by_inode;
  for (const os::RunningProcess& process : node_.processes) {
    if (!process.unit.empty()) continue;
    pid_t first = 0;
    for (const std::uint64_t inode : process.sockets)
      if (listening.contains(inode)) {
        const pid_t known = first_by_inode.emplace(inode, process.pid).first->second;
        if (first == 0) first = known;
      }
    if (first == 0) continue;
    first_[process.pid] = first;
  }
}

// One that listens on nothing is a worker of the process above it that does, if there is one.
pid_t SocketOwners::first_of(const os::RunningProcess& process) const {
  std::set<pid_t> seen;
  for (pid_t pid = process.pid; pid != 0 && seen.insert(pid).second;) {
    if (const auto found = first_.find(pid); found != first_.end()) return found->second;
    const auto above = parents_.find(pid);
    pid = above == parents_.end() ? 0 : above->second;
  }
  return process.pid;
}

SocketOwner SocketOwners::of(const net::TcpSocket& socket) const {
  if (const auto found = by_inode_.find(socket.inode); socket.inode != 0 && found != by_inode_.end()) {
    const os::RunningProcess& process = *found->second;
    return {process.unit, process.program, process.unit.empty() ? first_of(process) : 0};
  }
  std::string unit;
  if (const auto found = node_.units_by_cgroup.find(socket.cgroup); found != node_.units_by_cgroup.end())
    unit = found->second;
  else if (const auto alone = units_of_user_.find(socket.user);
           socket.user != 0 && alone != units_of_user_.end() && alone->second.size() == 1)
    unit = *alone->second.begin();
  return {unit, program_of(unit), 0};
}

std::string SocketOwners::program_of(const std::string& unit) const {
  const auto found = programs_.find(unit);
  return found == programs_.end() ? "" : *found->second.begin();
}

std::set<std::string> SocketOwners::units() const {
  std::set<std::string> out;
  for (const auto& [unit, programs] : programs_) out.insert(unit);
  return out;
}

}  // namespace app
