#include "app/destination.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>

#include "base/ascii.h"
#include "base/number.h"

namespace app {
namespace {

constexpr std::size_t kLongest = 4096;

base::Result<Host> no_host(std::string_view text, std::string_view why) {
  return base::fail(base::Kind::invalid, fmt::format("'{}' is no host: {}", text, why));
}

std::string text_of(const in_addr& v4) {
  std::array<char, INET_ADDRSTRLEN> out{};
  return ::inet_ntop(AF_INET, &v4, out.data(), out.size());
}

in_addr bytes_at(const in6_addr& v6, std::size_t at) {
  in_addr v4{};
  std::memcpy(&v4, v6.s6_addr + at, sizeof v4);
  return v4;
}

Host host_of(const in6_addr& v6) {
  if (IN6_IS_ADDR_V4MAPPED(&v6)) return {text_of(bytes_at(v6, 12)), true};
  std::array<char, INET6_ADDRSTRLEN> out{};
  return {::inet_ntop(AF_INET6, &v6, out.data(), out.size()), true};
}

// The last part is a number: the whole is an IPv4 address, or nothing, in whatever way it is written (WHATWG URL, "ends
// in a number"; inet_aton(3)).
bool ends_in_number(std::string_view host) {
  const std::string_view last = host.substr(host.rfind('.') == std::string_view::npos ? 0 : host.rfind('.') + 1);
  if (last.starts_with("0x")) return last.find_first_not_of("0123456789abcdef", 2) == std::string_view::npos;
  return !last.empty() && std::all_of(last.begin(), last.end(), base::is_digit);
}

base::Result<> read_authority(std::string_view text, Destination& out) {
  if (text.find('@') != std::string_view::npos)
    return base::fail(base::Kind::invalid, "it has user information in front of its host");
  std::string_view host = text, port;
  const std::size_t colon = text.rfind(':');
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return base::fail(base::Kind::invalid, "it has a [ without its ]");
    host = text.substr(0, close + 1);
    port = text.substr(close + 1);
  } else if (colon != std::string_view::npos && text.find(':') == colon) {
    host = text.substr(0, colon);
    port = text.substr(colon);
  }  // with more colons it is an IPv6 address without its brackets, or nothing
  TRY(out.host, read_host(host));
  out.port = usual_port(out.scheme);
  if (port.empty()) return {};
  const auto number = base::read_number<std::uint16_t>(port.substr(1));
  out.port = number.value_or(0);
  if (port[0] != ':' || out.port == 0)
    return base::fail(base::Kind::invalid, fmt::format("'{}' is no port between 1 and 65535", port));
  return {};
}

const in_addr* v4_of(const sockaddr_storage& storage) {
  return storage.ss_family == AF_INET ? &reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr : nullptr;
}
const in6_addr* v6_of(const sockaddr_storage& storage) {
  return storage.ss_family == AF_INET6 ? &reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr : nullptr;
}

// The IPv4 address that an IPv6 one stands for: mapped, compatible, NAT64, 6to4.
std::optional<in_addr> inner_v4(const in6_addr& v6) {
  static constexpr unsigned char kNat64[12] = {0x00, 0x64, 0xff, 0x9b};
  if (IN6_IS_ADDR_V4MAPPED(&v6) || IN6_IS_ADDR_V4COMPAT(&v6)) return bytes_at(v6, 12);
  if (std::memcmp(v6.s6_addr, kNat64, sizeof kNat64) == 0) return bytes_at(v6, 12);
  if (v6.s6_addr[0] == 0x20 && v6.s6_addr[1] == 0x02) return bytes_at(v6, 2);
  return std::nullopt;
}

std::string kind_of(const in_addr& v4) {
  const std::uint32_t bits = ntohl(v4.s_addr);
  if (bits >> 24U == 127) return "a loopback address";
  if (bits >> 24U == 0) return "an unspecified address, which is this node";
  if (bits >> 16U == 0xa9fe) return "a link-local address";
  if (bits >> 28U >= 14) return bits >> 28U == 14 ? "a multicast address" : "a reserved address";
  return "";
}

std::string kind_of(const in6_addr& v6) {
  if (IN6_IS_ADDR_LOOPBACK(&v6)) return "a loopback address";
  if (IN6_IS_ADDR_UNSPECIFIED(&v6)) return "an unspecified address, which is this node";
  if (IN6_IS_ADDR_LINKLOCAL(&v6)) return "a link-local address";
  if (IN6_IS_ADDR_MULTICAST(&v6)) return "a multicast address";
  return "";
}

bool is_own(const in_addr* v4, const in6_addr* v6) {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return false;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owned(all, &::freeifaddrs);
  for (const ifaddrs* each = all; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr) continue;
    if (v4 != nullptr && each->ifa_addr->sa_family == AF_INET &&
        reinterpret_cast<const sockaddr_in*>(each->ifa_addr)->sin_addr.s_addr == v4->s_addr)
      return true;
    if (v6 != nullptr && each->ifa_addr->sa_family == AF_INET6 &&
        IN6_ARE_ADDR_EQUAL(&reinterpret_cast<const sockaddr_in6*>(each->ifa_addr)->sin6_addr, v6))
      return true;
  }
  return false;
}

}  // namespace

std::uint16_t usual_port(std::string_view scheme) {
  if (scheme == "http" || scheme == "ws") return 80;
  return scheme == "https" || scheme == "wss" ? 443 : 0;
}

base::Result<Host> read_host(std::string_view text) {
  std::string host = base::lower_case(text);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (bracketed || host.find(':') != std::string::npos) {
    in6_addr v6{};
    const std::string bare = host.substr(0, host.find('%'));  // a scope is another way to the same address
    if (::inet_pton(AF_INET6, bare.c_str(), &v6) != 1) return no_host(text, "no IPv6 address");
    return host_of(v6);
  }
  if (host.ends_with('.')) host.pop_back();
  if (host.empty() || host.size() > 255) return no_host(text, host.empty() ? "it is empty" : "it is too long");
  for (const char c : host)
    if (!(base::is_digit(c) || (c >= 'a' && c <= 'z') || c == '.' || c == '-' || c == '_'))
      return no_host(text, "write a name in its ASCII form, in letters, digits and ._-");
  if (host.front() == '.' || host.front() == '-' || host.find("..") != std::string::npos)
    return no_host(text, "a part of it is empty, or it begins with -");
  if (!ends_in_number(host)) return Host{std::move(host), false};
  in_addr v4{};
  if (::inet_aton(host.c_str(), &v4) == 0) return no_host(text, "it ends in a number and is no address");
  return Host{text_of(v4), true};
}

Host host_of(const net::Address& address) {
  if (const in_addr* v4 = v4_of(address.storage)) return {text_of(*v4), true};
  if (const in6_addr* v6 = v6_of(address.storage)) return host_of(*v6);
  return {address.text, true};
}

base::Result<Destination> read_destination(std::string_view text) {
  Destination out;
  if (text.empty() || text.size() > kLongest) return base::fail(base::Kind::invalid, "it is empty, or too long");
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f || c == '\\')
      return base::fail(base::Kind::invalid,
                        "it has a blank, a backslash, a control character or one beyond ASCII in it");
  if (text.front() == '/') {
    out.socket = text;
    return out;
  }
  if (const std::size_t scheme = text.find("://"); scheme != std::string_view::npos && text.find('/') > scheme) {
    out.scheme = base::lower_case(text.substr(0, scheme));
    if (out.scheme.empty() ||
        out.scheme.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789+.-") != std::string::npos)
      return base::fail(base::Kind::invalid, fmt::format("'{}' is no scheme", out.scheme));
    text.remove_prefix(scheme + 3);
  }
  const std::size_t end = std::min(text.find_first_of("/?#"), text.size());
  out.rest = text.substr(end);
  if (out.rest.find('#') != std::string::npos)
    return base::fail(base::Kind::invalid, "it has a fragment, which is sent to nobody");
  TRY_VOID(read_authority(text.substr(0, end), out));
  return out;
}

base::Result<Destination> read_own_destination(std::string text) {
  const std::size_t scheme = text.find("://");
  const std::size_t host = scheme == std::string::npos ? 0 : scheme + 3;
  const std::size_t end = std::min(text.find_first_of("/?#", host), text.size());
  if (const std::size_t at = text.rfind('@', end); at != std::string::npos && at >= host && host > 0)
    text.erase(host, at + 1 - host);
  return read_destination(text.substr(0, text.find('#')));
}

std::string kept_back(const net::Address& address) {
  const in_addr* v4 = v4_of(address.storage);
  const in6_addr* v6 = v6_of(address.storage);
  std::string kind = v4 != nullptr ? kind_of(*v4) : v6 != nullptr ? kind_of(*v6) : "";
  std::optional<in_addr> inner = v6 != nullptr ? inner_v4(*v6) : std::nullopt;
  if (kind.empty() && inner) {
    kind = kind_of(*inner);
    if (kind.empty() && is_own(&*inner, nullptr)) kind = "an address of this node";
  }
  if (kind.empty() && is_own(v4, v6)) kind = "an address of this node";
  return kind;
}

}  // namespace app
