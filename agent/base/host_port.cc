#include "base/host_port.h"

#include <fmt/format.h>

#include <algorithm>

namespace base {
namespace {

// Only addresses of IPv6 have a zone.
std::size_t zone_of(std::string_view host) {
  const std::size_t zone = host.find('%');
  return host.substr(0, zone).find(':') == std::string_view::npos ? std::string_view::npos : zone;
}

}  // namespace

std::string host_and_port(std::string_view host, std::uint64_t port) {
  const bool bare_v6 = host.find(':') != std::string_view::npos && !host.starts_with('[');
  return bare_v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

std::string host_of_url(std::string_view host) {
  std::string out(host);
  const std::size_t zone = zone_of(host);
  if (zone != std::string_view::npos && host.substr(zone).starts_with("%25") && zone + 3 < host.size() &&
      host[zone + 3] != ']')
    out.erase(zone + 1, 2);
  return out;
}

std::string without_zone(std::string_view host) {
  const std::size_t zone = zone_of(host);
  if (zone == std::string_view::npos) return std::string(host);
  const std::size_t close = std::min(host.find(']', zone), host.size());
  return std::string(host.substr(0, zone)) + std::string(host.substr(close));
}

}  // namespace base
