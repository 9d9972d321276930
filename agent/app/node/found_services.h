// The services of a node: what listens on TCP, the units that its administrator has written, and who is connected to
// whom. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "app/node/node_view.h"

namespace app {

struct FoundPort {
  std::string host;  // that a probe connects to: 127.0.0.1 for a socket on all addresses
  std::uint16_t port = 0;
  std::vector<std::string> addresses{};  // that it listens on: "0.0.0.0", "127.0.0.1", "::"
  bool ephemeral = false;                // on the loopback only, with a number that the kernel gave
};

struct FoundService {
  std::string name;     // of the unit, or of the program; no two are alike
  std::string unit;     // "": none
  std::string program;  // "": not known
  std::vector<FoundPort> ports;
  bool by_administrator = false;  // the unit's file is the administrator's own
};

struct FoundConnection {
  std::string from, to;    // names of services
  std::uint16_t port = 0;  // of `to`
  auto operator<=>(const FoundConnection&) const = default;
};

struct FoundServices {
  std::vector<FoundService> services;        // by name
  std::vector<FoundConnection> connections;  // each once, in order
  std::vector<std::string> left_out;         // units that run, listen on no TCP port and came with the system
};

// Every unit that listens on TCP or is the administrator's own, and every port without a known unit. Whose a socket is,
// SocketOwners say. fettle itself is left out.
FoundServices find_services(const NodeView& node);

bool is_loopback(std::string_view address);
// 10.0.0.1 of ::ffff:10.0.0.1
std::string plain_address(const std::string& address);

}  // namespace app
