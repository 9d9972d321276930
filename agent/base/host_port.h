// Where a server listens, as text. An IPv6 address of one link may have the link behind it, its zone: fe80::1%eth0.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace base {

// HOST:PORT, with brackets around an address of IPv6 that has none.
std::string host_and_port(std::string_view host, std::uint64_t port);

// A host as it stands in a URL, where a zone is written %25eth0 (RFC 6874); %eth0 is taken as well, as curl takes it.
// Brackets stay as they are.
std::string host_of_url(std::string_view host);
// Without the zone, which means something on this node only; with what stands around the address in brackets.
std::string without_zone(std::string_view host);

}  // namespace base
