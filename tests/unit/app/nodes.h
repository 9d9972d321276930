// Nodes as the kernel shows them, put together by hand.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "app/init/draft.h"
#include "app/init/first_services.h"
#include "app/node/found_services.h"
#include "app/node/node_view.h"
#include "app/node/probe_choice.h"

namespace nodes {

inline os::RunningProcess process(int pid, const std::string& program, uid_t user, const std::string& unit,
                                  std::set<std::uint64_t> sockets = {}) {
  return {pid, program, user, unit, std::move(sockets), false, 0};
}

inline net::TcpSocket listening(const std::string& address, std::uint16_t port, std::uint64_t inode, uid_t user = 0,
                                std::uint64_t cgroup = 0) {
  net::TcpSocket socket;
  socket.address = address;
  socket.port = port;
  socket.inode = inode;
  socket.user = user;
  socket.cgroup = cgroup;
  return socket;
}

inline net::TcpSocket connected(std::uint64_t inode, const std::string& peer, std::uint16_t port) {
  net::TcpSocket socket = listening("127.0.0.1", 40'000, inode);
  socket.peer = peer;
  socket.peer_port = port;
  return socket;
}

// nginx in front of order, which asks redis; order's descriptors are those of another user.
inline app::NodeView shop() {
  app::NodeView node;
  node.processes = {process(10, "nginx", 0, "nginx.service", {1, 11}),
                    process(20, "java", 1001, "order.service", {12}),
                    process(30, "redis-server", 1002, "redis-server.service"),
                    process(40, "cron", 0, "cron.service"),
                    process(50, "worker", 1003, "billing@eu.service"),
                    process(60, "python3", 1000, "", {5}),
                    process(70, "systemd-resolve", 101, "systemd-resolved.service", {6}),
                    process(80, "fettle", 105, "fettle.service", {7}),
                    process(90, "fettle", 1000, "", {8})};
  node.units_by_cgroup = {{900, "order.service"}};
  node.listening = {
      listening("0.0.0.0", 80, 1),           listening("::", 80, 1),         listening("::", 8081, 2, 1001, 900),
      listening("127.0.0.1", 6379, 3, 1002), listening("10.0.0.5", 9000, 5), listening("127.0.0.53", 53, 6),
      listening("0.0.0.0", 10911, 7),        listening("0.0.0.0", 4711, 99), listening("127.0.0.1", 10912, 8)};
  node.established = {connected(11, "127.0.0.1", 8081), connected(12, "::ffff:127.0.0.1", 6379),
                      connected(12, "127.0.0.1", 80), connected(12, "192.0.2.1", 443)};
  node.own_units = {"billing@.service"};
  return node;
}

// What `fettle init` would write of it, without asking ports.
inline app::Draft draft_of(const app::NodeView& node) {
  app::FirstServices first = app::first_services(app::find_services(node));
  for (app::DraftService& service : first.services)
    for (const app::FoundPort& port : service.found.ports)
      service.probes.push_back(app::guess(service.found.program, port));
  return {"shop1", "/etc/fettle/fettle.yml", std::move(first.services), std::move(first.left_out)};
}

}  // namespace nodes
