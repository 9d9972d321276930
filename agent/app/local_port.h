// The port of this node that a probe connects to, of its target as pages show it. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace app {

// 8081 of "http://127.0.0.1:8081/healthz"; 0: another node, or no port.
std::uint16_t local_port(std::string_view target);

}  // namespace app
