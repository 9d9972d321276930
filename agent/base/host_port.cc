#include "base/host_port.h"

#include <fmt/format.h>

namespace base {

std::string host_and_port(std::string_view host, std::uint64_t port) {
  const bool bare_v6 = host.find(':') != std::string_view::npos && !host.starts_with('[');
  return bare_v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

}  // namespace base
