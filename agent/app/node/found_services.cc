#include "app/node/found_services.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "app/node/socket_owners.h"

namespace app {
namespace {

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

std::string host_to_connect_to(const net::TcpSocket& socket) {
  if (socket.address == "0.0.0.0") return "127.0.0.1";
  if (socket.address == "::") return socket.v6_only ? "::1" : "127.0.0.1";
  return plain_address(socket.address);
}

class Search {
 public:
  explicit Search(const NodeView& node) : node_(node), owners_(node) {}

  FoundServices result() {
    for (const net::TcpSocket& socket : node_.listening) add_port(socket);
    FoundServices out;
    for (const std::string& unit : owners_.units()) {
      if (found_.contains(key_of({unit, "", 0}))) continue;
      if (is_own(unit)) found_[key_of({unit, "", 0})] = {"", unit, owners_.program_of(unit), {}, true};
      else out.left_out.push_back(unit);
    }
    give_names();
    std::set<FoundConnection> connections;
    for (const net::TcpSocket& socket : node_.established) add_connection(socket, connections);
    out.connections.assign(connections.begin(), connections.end());
    for (auto& [key, service] : found_) out.services.push_back(std::move(service));
    std::sort(out.services.begin(), out.services.end(),
              [](const FoundService& a, const FoundService& b) { return a.name < b.name; });
    return out;
  }

 private:
  using Key = std::string;
  using Port = std::pair<std::string, std::uint16_t>;  // address, as it listens

  // "": nothing is known of it but its port.
  static Key key_of(const SocketOwner& owner) {
    if (!owner.unit.empty()) return "unit " + owner.unit;
    return owner.process == 0 ? "" : fmt::format("process {}", owner.process);
  }

  // Of "order@eu.service" the file is order@.service.
  bool is_own(const std::string& unit) const {
    const std::size_t at = unit.find('@'), dot = unit.rfind('.');
    const bool instance = at != std::string::npos && dot != std::string::npos && at < dot;
    return node_.own_units.contains(instance ? unit.substr(0, at + 1) + unit.substr(dot) : unit);
  }

  bool is_ephemeral(const net::TcpSocket& socket) const {
    return is_loopback(socket.address) && socket.port >= node_.ephemeral.first && socket.port <= node_.ephemeral.second;
  }

  void add_port(const net::TcpSocket& socket) {
    const SocketOwner owner = owners_.of(socket);
    if (is_of_system(owner.unit) || is_own_program(owner.program)) return;
    Key key = key_of(owner);
    if (key.empty()) key = fmt::format("port {}", socket.port);
    key_of_port_[{plain_address(socket.address), socket.port}] = key;
    FoundService& service = found_[key];
    service.unit = owner.unit;
    service.program = owner.program;
    service.by_administrator = is_own(owner.unit);
    const auto same = std::find_if(service.ports.begin(), service.ports.end(),
                                   [&](const FoundPort& known) { return known.port == socket.port; });
    if (same != service.ports.end()) {
      same->addresses.push_back(plain_address(socket.address));
      // Many servers have a socket for each family; the one that people type is asked.
      if (host_to_connect_to(socket) == "127.0.0.1") same->host = "127.0.0.1";
      same->ephemeral = same->ephemeral && is_ephemeral(socket);
      return;
    }
    service.ports.push_back(
        {host_to_connect_to(socket), socket.port, {plain_address(socket.address)}, is_ephemeral(socket)});
    std::sort(service.ports.begin(), service.ports.end(),
              [](const FoundPort& a, const FoundPort& b) { return a.port < b.port; });
  }

  // Of units first; of several servers of one program each has its port behind it.
  void give_names() {
    std::map<std::string, int> servers;
    for (const auto& [key, service] : found_)
      if (service.unit.empty()) ++servers[service.program];
    std::set<std::string> taken;
    const auto give = [&](FoundService& service) {
      const bool many = service.unit.empty() && servers[service.program] > 1;
      std::string name = !service.unit.empty()      ? service_name(service.unit)
                         : !service.program.empty() ? service_name(service.program)
                                                    : "port";
      const std::string port = service.ports.empty() ? "2" : fmt::to_string(service.ports.front().port);
      if (many || name == "port" || taken.contains(name)) name += "-" + port;
      while (!taken.insert(name).second) name += "-2";
      service.name = name;
    };
    for (auto& [key, service] : found_)
      if (!service.unit.empty()) give(service);
    for (auto& [key, service] : found_)
      if (service.unit.empty()) give(service);
  }

  // What listens there, if it is on this node.
  Key key_at(const std::string& address, std::uint16_t port) const {
    const bool is_here =
        is_loopback(address) || node_.addresses.contains(address) ||
        std::any_of(node_.established.begin(), node_.established.end(), [&](const net::TcpSocket& each) {
          return plain_address(each.address) == address && each.port == port;
        });
    if (!is_here) return "";
    for (const std::string& listening : {address, std::string("0.0.0.0"), std::string("::")})
      if (const auto found = key_of_port_.find({listening, port}); found != key_of_port_.end()) return found->second;
    return "";
  }

  // One that a service of the node has opened to another.
  void add_connection(const net::TcpSocket& socket, std::set<FoundConnection>& out) const {
    const auto to = found_.find(key_at(plain_address(socket.peer), socket.peer_port));
    const auto from = found_.find(key_of(owners_.of(socket)));
    if (to == found_.end() || from == found_.end() || to == from) return;
    out.insert({from->second.name, to->second.name, socket.peer_port});
  }

  const NodeView& node_;
  const SocketOwners owners_;
  std::map<Key, FoundService> found_;
  std::map<Port, Key> key_of_port_;
};

}  // namespace

bool is_loopback(std::string_view address) {
  return address.starts_with("127.") || address == "::1" || address.starts_with("::ffff:127.");
}

std::string plain_address(const std::string& address) {
  return address.starts_with("::ffff:") ? address.substr(7) : address;
}

FoundServices find_services(const NodeView& node) { return Search(node).result(); }

}  // namespace app
