// Values that the settings of several types have, each with its reader for config::Schema.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/regex.h"
#include "config/schema.h"
#include "model/outcome.h"
#include "net/address.h"

namespace net {
struct PeerChain;
}  // namespace net

namespace probe {

// A regular expression, compiled when the file is read. Empty: not configured.
struct Pattern {
  std::optional<base::Regex> regex;
};
bool read(const config::Node& node, Pattern& out, std::string& why);
std::string show(const Pattern& value);

// Which of a name's addresses may be used (see net::Family): any, ip4, ip6; first_ip4 and prefer_ip4: one only, of that
// family, or of the other if there is none; first_ip6, prefer_ip6.
struct IpProtocol {
  net::Family family = net::Family::any;
};
bool read(const config::Node& node, IpProtocol& out, std::string& why);
std::string show(const IpProtocol& value);

// An address of this host to speak from. Empty: the kernel chooses.
struct SourceAddress {
  std::string literal;
  // Only addresses of its own family can be reached from it.
  net::Family family(net::Family wanted) const;
};
bool read(const config::Node& node, SourceAddress& out, std::string& why);
std::string show(const SourceAddress& value);

using Measurements = std::vector<model::Measurement>;

// probe_ssl_* and probe_tls_* of what the peer showed, also if it did not verify.
void measure_chain(const net::PeerChain& chain, Measurements& out);
// The names of those measurements, behind `others`: for Type::other_measurements.
std::vector<std::string_view> with_chain(std::vector<std::string_view> others);
// probe_ip_protocol and probe_ip_addr_hash of a literal address, and probe_dns_lookup_time_seconds of the phases'
// resolve (0 without one).
void measure_address(const std::string& address, const std::vector<model::Phase>& phases, Measurements& out);

// A time, in seconds since the epoch, that is counted back from now at each run: `known` while it stays near that, so
// that it is the same from run to run, and whole seconds of `counted` once the clock was set.
double settled(double counted, double known);

// "127.0.0.1:6379" or "[::1]:6379" as host and port, as they stand in a configuration; the port is "" if there is none.
std::vector<std::pair<std::string, std::string>> host_and_port(std::string_view target);
// The other way round, for texts.
std::string written(const std::string& host, int port);

}  // namespace probe
