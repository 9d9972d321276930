#include "http/no_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/number.h"

namespace http {
namespace {

// The 4 or 16 bytes of an address; empty for what is none.
std::string bytes_of(const std::string& literal) {
  std::array<char, sizeof(in6_addr)> bytes{};
  const bool v6 = literal.find(':') != std::string::npos;
  if (::inet_pton(v6 ? AF_INET6 : AF_INET, literal.c_str(), bytes.data()) != 1) return "";
  return {bytes.data(), v6 ? 16U : 4U};
}

bool is_loopback(const std::string& host, const std::string& address) {
  return base::same_word(host, "localhost") || (address.size() == 4 && address[0] == 127) ||
         address == std::string(15, '\0') + '\1';
}

bool in_network(const std::string& address, std::string_view network) {
  const std::size_t slash = network.find('/');
  const std::string of = bytes_of(std::string(network.substr(0, slash)));
  const auto bits = base::leading_number<std::size_t>(network.substr(slash + 1));
  if (!bits || of.empty() || of.size() != address.size() || *bits > 8 * of.size()) return false;
  for (std::size_t bit = 0; bit < *bits; ++bit)
    if (((of[bit / 8] ^ address[bit / 8]) >> (7 - bit % 8) & 1) != 0) return false;
  return true;
}

bool ends_with_word(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && base::same_word(text.substr(text.size() - end.size()), end);
}

bool matches(std::string_view entry, const std::string& host, const std::string& address, std::string_view port) {
  if (entry == "*") return true;
  if (entry.find('/') != std::string_view::npos) return in_network(address, entry);
  const std::size_t colon = entry.rfind(':');
  const bool bracketed = entry.starts_with('[');
  if (colon != std::string_view::npos && (bracketed ? entry[colon - 1] == ']' : entry.find(':') == colon)) {
    if (entry.substr(colon + 1) != port) return false;
    entry = entry.substr(0, colon);
  }
  if (bracketed && entry.ends_with(']')) entry = entry.substr(1, entry.size() - 2);
  if (!address.empty()) return bytes_of(std::string(entry)) == address;
  if (entry.starts_with("*.")) entry.remove_prefix(1);
  if (entry.starts_with('.')) return ends_with_word(host, entry);
  return base::same_word(host, entry) || ends_with_word(host, "." + std::string(entry));
}

}  // namespace

bool goes_without_proxy(std::string_view hosts, const std::string& host, std::string_view port) {
  const std::string address = bytes_of(host);
  if (hosts.find_first_not_of(", ") == std::string_view::npos) return false;
  if (is_loopback(host, address)) return true;
  while (!hosts.empty()) {
    std::string_view entry = hosts.substr(0, hosts.find(','));
    hosts.remove_prefix(std::min(entry.size() + 1, hosts.size()));
    while (entry.starts_with(' ')) entry.remove_prefix(1);
    while (entry.ends_with(' ')) entry.remove_suffix(1);
    if (!entry.empty() && matches(entry, host, address, port)) return true;
  }
  return false;
}

}  // namespace http
