#include "app/node/node_view.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/ascii.h"
#include "base/file.h"
#include "base/number.h"

namespace app {
namespace {

std::set<std::string> units_of_administrator() {
  std::set<std::string> units;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator("/etc/systemd/system", code))
    if (!entry.is_symlink(code) && entry.is_regular_file(code) && entry.path().extension() == ".service")
      units.insert(entry.path().filename().string());
  return units;
}

std::set<std::string> own_addresses() {
  std::set<std::string> out;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return out;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> all(first, ::freeifaddrs);
  for (const ifaddrs* each = first; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr) continue;
    std::array<char, INET6_ADDRSTRLEN> text{};
    const void* address = nullptr;
    if (each->ifa_addr->sa_family == AF_INET) address = &reinterpret_cast<const sockaddr_in*>(each->ifa_addr)->sin_addr;
    if (each->ifa_addr->sa_family == AF_INET6)
      address = &reinterpret_cast<const sockaddr_in6*>(each->ifa_addr)->sin6_addr;
    if (address != nullptr && ::inet_ntop(each->ifa_addr->sa_family, address, text.data(), text.size()) != nullptr)
      out.insert(text.data());
  }
  return out;
}

std::string own_host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

// "32768	60999"
void read_ephemeral(std::pair<std::uint16_t, std::uint16_t>& range) {
  const auto text = base::read_file("/proc/sys/net/ipv4/ip_local_port_range");
  if (!text) return;
  std::string_view words(*text);
  const auto first = base::take_number<std::uint16_t>(words);
  const auto last = base::leading_number<std::uint16_t>(base::trim(words));
  if (first && last) range = {*first, *last};
}

}  // namespace

NodeView look_at_node() {
  NodeView node;
  node.processes = os::running_processes();
  node.units_by_cgroup = os::units_by_cgroup();
  node.own_units = units_of_administrator();
  node.addresses = own_addresses();
  node.host_name = own_host_name();
  read_ephemeral(node.ephemeral);
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
        "whose a port is, is guessed by its user; root sees them all",
        hidden));
  const bool has_units = std::any_of(node.processes.begin(), node.processes.end(),
                                     [](const os::RunningProcess& each) { return !each.unit.empty(); });
  if (!has_units) node.unseen.push_back("no process has a systemd unit: is this node run by systemd?");
  node.unseen.push_back("sockets of UDP, unix sockets, and containers with a network of their own are not looked at");
  return node;
}

}  // namespace app
