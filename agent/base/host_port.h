// Where a server listens, as text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace base {

// HOST:PORT, with brackets around an address of IPv6 that has none.
std::string host_and_port(std::string_view host, std::uint64_t port);

}  // namespace base
