#include "app/node/node_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>

namespace app {
namespace {

constexpr std::size_t kMostPorts = 4;  // of one service
constexpr const char* kOwnUnit = "fettle.service";
constexpr const char* kOwnProgram = "fettle";

// systemd's own, which it watches itself.
bool is_of_system(const std::string& unit) { return unit.starts_with("systemd-") || unit == kOwnUnit; }

std::string service_name(std::string text) {
  if (const std::size_t suffix = text.rfind(".service"); suffix != std::string::npos) text.resize(suffix);
  for (char& c : text) {
    const bool fits =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
    if (!fits) c = '-';
  }
  const bool starts_well = !text.empty() && ((text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z'));
  return starts_well ? text : "service-" + text;
}

bool is_loopback(const std::string& address) {
  return address.starts_with("127.") || address == "::1" || address.starts_with("::ffff:127.");
}

std::string plain(const std::string& address) { return address.starts_with("::ffff:") ? address.substr(7) : address; }

std::string host_to_connect_to(const net::TcpSocket& socket) {
  if (socket.address == "0.0.0.0") return "127.0.0.1";
  if (socket.address == "::") return socket.v6_only ? "::1" : "127.0.0.1";
  return plain(socket.address);
}

// Whose a socket is.
struct Owner {
  std::string unit, program;
};

class Owners {
 public:
  explicit Owners(const NodeView& node) : node_(node) {
    for (const os::RunningProcess& process : node.processes) {
      for (const std::uint64_t inode : process.sockets) by_inode_.emplace(inode, &process);
      if (process.unit.empty() || is_of_system(process.unit)) continue;
      units_of_user_[process.user].insert(process.unit);
      programs_[process.unit].emplace(process.program);
    }
  }

  Owner of(const net::TcpSocket& socket) const {
    if (const auto found = by_inode_.find(socket.inode); socket.inode != 0 && found != by_inode_.end())
      return {found->second->unit, found->second->program};
    std::string unit;
    if (const auto found = node_.units_by_cgroup.find(socket.cgroup); found != node_.units_by_cgroup.end())
      unit = found->second;
    else if (const auto alone = units_of_user_.find(socket.user);
             socket.user != 0 && alone != units_of_user_.end() && alone->second.size() == 1)
      unit = *alone->second.begin();
    return {unit, program_of(unit)};
  }

  std::string program_of(const std::string& unit) const {
    const auto found = programs_.find(unit);
    return found == programs_.end() ? "" : *found->second.begin();
  }
  std::set<std::string> units() const {
    std::set<std::string> out;
    for (const auto& [unit, programs] : programs_) out.insert(unit);
    return out;
  }

 private:
  const NodeView& node_;
  std::map<std::uint64_t, const os::RunningProcess*> by_inode_;
  std::map<uid_t, std::set<std::string>> units_of_user_;
  std::map<std::string, std::set<std::string>> programs_;
};

class Search {
 public:
  explicit Search(const NodeView& node) : node_(node), owners_(node) {}

  FoundServices result() {
    for (const net::TcpSocket& socket : node_.listening) add_port(socket);
    std::string left;
    for (const std::string& unit : owners_.units()) {
      const std::string name = service_name(unit);
      if (found_.contains(name)) continue;
      if (is_own(unit)) found_[name] = {name, unit, owners_.program_of(unit), {}, {}};
      else left += (left.empty() ? "" : ", ") + unit;
    }
    if (!left.empty())
      out_.left_out.push_back("units that run, listen on no TCP port and came with the system: " + left);
    for (const net::TcpSocket& socket : node_.established) add_dependency(socket);
    for (auto& [name, service] : found_) {
      if (service.ports.size() > kMostPorts) {
        out_.left_out.push_back(
            fmt::format("{} listens on {} ports; the first {} are probed", name, service.ports.size(), kMostPorts));
        service.ports.resize(kMostPorts);
      }
      service.depends_on = acyclic(name);
    }
    for (auto& [name, service] : found_) out_.services.push_back(std::move(service));
    return std::move(out_);
  }

 private:
  using Port = std::pair<std::string, std::uint16_t>;  // address, as it listens

  // Of "order@eu.service" the file is order@.service.
  bool is_own(const std::string& unit) const {
    const std::size_t at = unit.find('@'), dot = unit.rfind('.');
    const bool instance = at != std::string::npos && dot != std::string::npos && at < dot;
    return node_.own_units.contains(instance ? unit.substr(0, at + 1) + unit.substr(dot) : unit);
  }

  void add_port(const net::TcpSocket& socket) {
    const Owner owner = owners_.of(socket);
    if (is_of_system(owner.unit) || owner.program == kOwnProgram) return;
    const std::string name = !owner.unit.empty()      ? service_name(owner.unit)
                             : !owner.program.empty() ? service_name(owner.program)
                                                      : fmt::format("port-{}", socket.port);
    service_of_port_[{plain(socket.address), socket.port}] = name;
    FoundService& service = found_[name];
    service.name = name;
    service.unit = owner.unit;
    service.program = owner.program;
    const auto same = [&](const FoundPort& known) { return known.port == socket.port; };
    if (std::any_of(service.ports.begin(), service.ports.end(), same)) return;
    service.ports.push_back({host_to_connect_to(socket), socket.port});
    std::sort(service.ports.begin(), service.ports.end(),
              [](const FoundPort& a, const FoundPort& b) { return a.port < b.port; });
  }

  // The service that listens there, if it is one of this node.
  std::string service_at(const std::string& address, std::uint16_t port) const {
    const bool is_own =
        is_loopback(address) ||
        std::any_of(node_.established.begin(), node_.established.end(),
                    [&](const net::TcpSocket& each) { return plain(each.address) == address && each.port == port; });
    if (!is_own) return "";
    for (const std::string& listening : {address, std::string("0.0.0.0"), std::string("::")})
      if (const auto found = service_of_port_.find({listening, port}); found != service_of_port_.end())
        return found->second;
    return "";
  }

  // Of a connection that one service of the node has opened to another.
  void add_dependency(const net::TcpSocket& socket) {
    const std::string to = service_at(plain(socket.peer), socket.peer_port);
    if (to.empty()) return;
    const Owner owner = owners_.of(socket);
    const std::string from = service_name(!owner.unit.empty() ? owner.unit : owner.program);
    if (from != to && found_.contains(from)) edges_[from].insert(to);
  }

  bool reaches(const std::string& from, const std::string& to) const {
    if (from == to) return true;
    const auto found = kept_.find(from);
    return found != kept_.end() && std::any_of(found->second.begin(), found->second.end(),
                                               [&](const std::string& next) { return reaches(next, to); });
  }

  std::vector<std::string> acyclic(const std::string& name) {
    std::vector<std::string> out;
    for (const std::string& to : edges_[name]) {
      if (reaches(to, name)) {
        out_.left_out.push_back(
            fmt::format("{} has connections to {} too; services must not depend on each other in a circle", name, to));
        continue;
      }
      kept_[name].insert(to);
      out.push_back(to);
    }
    return out;
  }

  const NodeView& node_;
  const Owners owners_;
  std::map<std::string, FoundService> found_;
  std::map<Port, std::string> service_of_port_;
  std::map<std::string, std::set<std::string>> edges_, kept_;
  FoundServices out_;
};

std::set<std::string> units_of_administrator() {
  std::set<std::string> units;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator("/etc/systemd/system", code))
    if (!entry.is_symlink(code) && entry.is_regular_file(code) && entry.path().extension() == ".service")
      units.insert(entry.path().filename().string());
  return units;
}

}  // namespace

NodeView look_at_node() {
  NodeView node;
  node.processes = os::running_processes();
  node.units_by_cgroup = os::units_by_cgroup();
  node.own_units = units_of_administrator();
  for (const auto& [state, sockets] :
       {std::pair{net::TcpState::listen, &node.listening}, {net::TcpState::established, &node.established}}) {
    auto found = net::tcp_sockets(state);
    if (found) *sockets = std::move(*found);
    else if (node.unseen.empty()) node.unseen.push_back(found.error().text + ": no ports and connections are known");
  }
  const auto hidden = std::count_if(node.processes.begin(), node.processes.end(),
                                    [](const os::RunningProcess& each) { return each.hides_sockets; });
  const bool by_group = std::any_of(node.listening.begin(), node.listening.end(), [&](const net::TcpSocket& socket) {
    return node.units_by_cgroup.contains(socket.cgroup);
  });
  if (hidden > 0 && !by_group)
    node.unseen.push_back(fmt::format(
        "the sockets of {} processes belong to other users, and the kernel does not tell their control groups: "
        "whose a port is, is guessed by its user; sudo fettle init sees them all",
        hidden));
  const bool has_units = std::any_of(node.processes.begin(), node.processes.end(),
                                     [](const os::RunningProcess& each) { return !each.unit.empty(); });
  if (!has_units) node.unseen.push_back("no process has a systemd unit: is this node run by systemd?");
  node.unseen.push_back("sockets of UDP, unix sockets, and containers with a network of their own are not looked at");
  return node;
}

FoundServices find_services(const NodeView& node) { return Search(node).result(); }

}  // namespace app
