#include "probe/common/values.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/host_port.h"
#include "base/text.h"
#include "config/request.h"
#include "net/tls/peer_chain.h"

namespace probe {
namespace {

// FNV-1a over the address's 4 or 16 bytes, as the blackbox exporter has it; in 32 bits, which a double holds exactly.
std::optional<double> address_hash(const std::string& text) {
  const std::string address = base::without_zone(text);  // where the node speaks from is no part of the address
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  const bool is_v6 = address.find(':') != std::string::npos;
  if (::inet_pton(is_v6 ? AF_INET6 : AF_INET, address.c_str(), bytes.data()) != 1) return std::nullopt;
  std::uint32_t hash = 2166136261U;
  for (std::size_t i = 0; i < (is_v6 ? 16U : 4U); ++i) hash = (hash ^ bytes[i]) * 16777619U;
  return hash;
}

// Named as the ssl_exporter names them: it has no others, and boards exist.
void measure_staple(const net::OcspStaple& staple, Measurements& out) {
  out.push_back({"probe_ssl_ocsp_response_stapled", staple.stapled ? 1.0 : 0.0, {}});
  if (staple.status) out.push_back({"probe_ssl_ocsp_response_status", static_cast<double>(*staple.status), {}});
  const auto add = [&](const char* name, const std::optional<base::WallTime>& time) {
    if (time) out.push_back({name, base::seconds(*time), {}});
  };
  add("probe_ssl_ocsp_response_produced_at", staple.produced_at);
  add("probe_ssl_ocsp_response_this_update", staple.this_update);
  add("probe_ssl_ocsp_response_next_update", staple.next_update);
  add("probe_ssl_ocsp_response_revoked_at", staple.revoked_at);
}

const std::vector<std::string> kFamilyNames{"any", "ip4", "ip6", "first_ip4", "first_ip6", "prefer_ip4", "prefer_ip6"};
constexpr std::array kFamilies{net::Family::any,      net::Family::v4,       net::Family::v6,
                               net::Family::first_v4, net::Family::first_v6, net::Family::prefer_v4,
                               net::Family::prefer_v6};

}  // namespace

bool read(const config::Node& node, Pattern& out, std::string& why) {
  std::string text;
  if (!config::read(node, text, why)) return false;
  base::Result<base::Regex> compiled = base::Regex::compile(text);
  if (!compiled) {
    why = compiled.error().text;
    return false;
  }
  out.regex = std::move(*compiled);
  return true;
}

std::string show(const Pattern& value) { return value.regex ? value.regex->pattern() : "none"; }

bool read(const config::Node& node, IpProtocol& out, std::string& why) {
  std::size_t index = 0;
  if (!config::read_one_of(node, kFamilyNames, index, why)) return false;
  out.family = kFamilies[index];
  return true;
}

std::string show(const IpProtocol& value) {
  return kFamilyNames[static_cast<std::size_t>(std::find(kFamilies.begin(), kFamilies.end(), value.family) -
                                               kFamilies.begin())];
}

net::Family SourceAddress::family(net::Family wanted) const {
  if (literal.empty()) return wanted;
  return literal.find(':') == std::string::npos ? net::Family::v4 : net::Family::v6;
}

bool read(const config::Node& node, SourceAddress& out, std::string& why) {
  if (!config::read(node, out.literal, why)) return false;
  if (out.literal.empty() || address_hash(out.literal)) return true;
  why = "expected an address of this host such as 192.0.2.7, got '" + out.literal + "'";
  return false;
}

std::string show(const SourceAddress& value) { return config::show(value.literal); }

void measure_chain(const net::PeerChain& chain, Measurements& out) {
  if (chain.earliest_expiry)
    out.push_back({"probe_ssl_earliest_cert_expiry", base::seconds(*chain.earliest_expiry), {}});
  if (chain.last_chain_expiry)
    out.push_back({"probe_ssl_last_chain_expiry_timestamp_seconds", base::seconds(*chain.last_chain_expiry), {}});
  if (!chain.fingerprint_sha256.empty())
    out.push_back({"probe_ssl_last_chain_info",
                   1,
                   {{"fingerprint_sha256", chain.fingerprint_sha256},
                    {"subject", chain.subject},
                    {"issuer", chain.issuer},
                    {"subjectalternative", chain.subject_alternative},
                    {"serialnumber", chain.serial}}});
  if (chain.staple) measure_staple(*chain.staple, out);
  if (!chain.version.empty()) out.push_back({"probe_tls_version_info", 1, {{"version", chain.version}}});
  if (!chain.cipher.empty()) out.push_back({"probe_tls_cipher_info", 1, {{"cipher", chain.cipher}}});
}

std::vector<std::string_view> with_chain(std::vector<std::string_view> others) {
  for (const char* name :
       {"probe_ssl_earliest_cert_expiry", "probe_ssl_last_chain_expiry_timestamp_seconds", "probe_ssl_last_chain_info",
        "probe_tls_version_info", "probe_tls_cipher_info", "probe_ssl_ocsp_response_stapled",
        "probe_ssl_ocsp_response_status", "probe_ssl_ocsp_response_produced_at", "probe_ssl_ocsp_response_this_update",
        "probe_ssl_ocsp_response_next_update", "probe_ssl_ocsp_response_revoked_at"})
    others.emplace_back(name);
  return others;
}

void measure_address(const std::string& address, const std::vector<model::Phase>& phases, Measurements& out) {
  base::Duration looked_up{};
  bool resolved = false;
  for (const model::Phase& phase : phases) {
    if (phase.name != "resolve") continue;
    looked_up += phase.took;
    resolved = true;
  }
  if (const auto hash = address_hash(address)) out.push_back({"probe_ip_addr_hash", *hash, {}});
  if (!address.empty()) out.push_back({"probe_ip_protocol", address.find(':') == std::string::npos ? 4.0 : 6.0, {}});
  if (resolved || !address.empty())
    out.push_back({"probe_dns_lookup_time_seconds", model::duration_value(looked_up), {}});
}

std::vector<std::pair<std::string, std::string>> host_and_port(std::string_view target) {
  const std::size_t colon = target.rfind(':');
  std::string_view host = target.substr(0, colon);
  const std::string_view port = colon == std::string_view::npos ? std::string_view() : target.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return {{"host", std::string(host)}, {"port", std::string(port)}};
}

double settled(double counted, double known) { return std::abs(counted - known) > 1 ? std::round(counted) : known; }

std::string written(const std::string& host, int port) {
  return base::host_and_port(host, static_cast<std::uint64_t>(port));
}

}  // namespace probe
