#include "probe/blackbox/blackbox_keys.h"

#include <algorithm>
#include <vector>

#include "base/edit_distance.h"

namespace probe {
namespace {

using config::Node;
using Kind = BlackboxKey::Kind;

constexpr BlackboxKey harmless(std::string_view key) { return {key, key, Kind::same, {}, true}; }

constexpr BlackboxKey kHttp[] = {
    {"method", "method"},
    {"headers", "headers"},
    {"body", "body"},
    {"valid_status_codes", "valid_status_codes"},
    {"accept_any_response", "", Kind::implied},
    {"valid_http_versions", "valid_http_versions"},
    {"fail_if_ssl", "fail_if_ssl"},
    {"fail_if_not_ssl", "fail_if_not_ssl"},
    {"fail_if_body_matches_regexp", "fail_if_body_matches_regexp"},
    {"fail_if_body_not_matches_regexp", "fail_if_body_not_matches_regexp"},
    harmless("fail_if_body_json_matches_cel"),
    harmless("fail_if_body_json_not_matches_cel"),
    harmless("fail_if_header_matches"),
    harmless("fail_if_header_not_matches"),
    {"tls_config", "tls_config"},
    {"basic_auth", "basic_auth"},
    {"authorization", "authorization"},
    {"oauth2", "oauth2"},
    {"proxy_url", "proxy_url"},
    {"no_proxy", "no_proxy"},
    {"proxy_from_environment", "proxy_from_environment"},
    {"proxy_connect_header", "proxy_connect_header"},
    {"follow_redirects", "follow_redirects"},
    {"compression", "compression"},
    {"enable_http2", "", Kind::implied},
    {"preferred_ip_protocol", "", Kind::implied},
    {"ip_protocol_fallback", "", Kind::implied},
    {"no_follow_redirects", "", Kind::implied},
    {"bearer_token", "", Kind::implied},
    {"bearer_token_file", "", Kind::implied},
    {"body_file", "", Kind::implied},
    {"body_size_limit", "", Kind::implied},
    {"skip_resolve_phase_with_proxy", "", Kind::implied},
    {"http_headers", "", Kind::implied},
    {"enable_http3", "", Kind::off, "Debian's HTTP library does not speak HTTP/3"},
};
constexpr BlackboxKey kTcp[] = {
    harmless("query_response"),
    {"tls", "tls"},
    {"tls_config", "tls_config"},
    {"source_ip_address", "source_ip_address"},
    {"preferred_ip_protocol", "", Kind::implied},
    {"ip_protocol_fallback", "", Kind::implied},
};
constexpr BlackboxKey kUnix[] = {
    harmless("query_response"),
    {"tls", "tls"},
    {"tls_config", "tls_config"},
};
constexpr BlackboxKey kIcmp[] = {
    {"payload_size", "payload_size"},
    {"ttl", "ttl"},
    {"dont_fragment", "dont_fragment"},
    {"source_ip_address", "source_ip_address"},
    {"preferred_ip_protocol", "", Kind::implied},
    {"ip_protocol_fallback", "", Kind::implied},
};
constexpr BlackboxKey kGrpc[] = {
    {"service", "service"},
    {"tls", "tls"},
    {"tls_config", "tls_config"},
    harmless("metadata"),
    {"preferred_ip_protocol", "", Kind::implied},
    {"ip_protocol_fallback", "", Kind::implied},
};
constexpr BlackboxKey kDns[] = {
    {"query_name", "query_name"},
    {"query_type", "query_type"},
    {"query_class", "query_class"},
    {"recursion_desired", "recursion_desired"},
    {"transport_protocol", "transport_protocol"},
    {"valid_rcodes", "valid_rcodes"},
    harmless("validate_answer_rrs"),
    harmless("validate_authority_rrs"),
    harmless("validate_additional_rrs"),
    {"dns_over_tls", "dns_over_tls"},
    {"tls_config", "tls_config"},
    {"source_ip_address", "source_ip_address"},
    {"preferred_ip_protocol", "", Kind::implied},
    {"ip_protocol_fallback", "", Kind::implied},
};
// What the handshake takes of the HTTP client's configuration stands under http_config.
constexpr BlackboxKey kWebsocket[] = {
    harmless("query_response"),
    harmless("headers"),
    {"http_config", "", Kind::implied},
    {"preferred_ip_protocol", "", Kind::implied},
    {"ip_protocol_fallback", "", Kind::implied},
};

constexpr BlackboxProber kProbers[] = {
    {"http", "http", kHttp},
    {"tcp", "tcp", kTcp},
    {"unix", "unix", kUnix},
    {"icmp", "icmp", kIcmp},
    {"grpc", "grpc", kGrpc},
    {"dns", "dns", kDns},
    {"websocket", "websocket", kWebsocket},
};

// Keys further inside, whatever the prober: the end of their path, "*" for any name.
constexpr BlackboxKey kInner[] = {
    {"tls_config.ca_ref", "", Kind::off, "there is no secret manager here; write ca_file"},
    {"tls_config.cert_ref", "", Kind::off, "there is no secret manager here; write cert_file"},
    {"tls_config.key_ref", "", Kind::off, "there is no secret manager here; write key_file"},
    {"basic_auth.username_ref", "", Kind::off, "there is no secret manager here; write username_file"},
    {"basic_auth.password_ref", "", Kind::off, "there is no secret manager here; write password_file"},
    {"authorization.credentials_ref", "", Kind::off, "there is no secret manager here; write credentials_file"},
    {"oauth2.client_secret_ref", "", Kind::off, "there is no secret manager here; write client_secret_file"},
    {"oauth2.client_certificate_key", "", Kind::off, "the client shows its secret, no signed assertion"},
    {"oauth2.client_certificate_key_file", "", Kind::off, "the client shows its secret, no signed assertion"},
    {"oauth2.client_certificate_key_ref", "", Kind::off, "the client shows its secret, no signed assertion"},
    {"http_headers.*.files", "", Kind::off, "a header is written, not read; for credentials write authorization"},
    {"http_config.oauth2", "", Kind::off, "a WebSocket is opened with basic_auth or authorization"},
    {"http_config.proxy_url", "", Kind::off, "a WebSocket is opened without a proxy"},
    {"http_config.proxy_from_environment", "", Kind::off, "a WebSocket is opened without a proxy"},
};

// Does a path end with the words of a pattern?
bool ends_like(std::vector<std::string> path, std::string_view pattern) {
  while (true) {
    const std::size_t dot = pattern.rfind('.');
    const std::string_view word = pattern.substr(dot == std::string_view::npos ? 0 : dot + 1);
    if (path.empty() || (word != "*" && word != path.back())) return false;
    path.pop_back();
    if (dot == std::string_view::npos) return true;
    pattern = pattern.substr(0, dot);
  }
}

std::string refused_inside(const Node& settings, std::vector<std::string>& path) {
  if (!settings.is_mapping()) return "";
  for (const auto& [key, value] : settings.entries()) {
    path.push_back(key.scalar());
    for (const BlackboxKey& inner : kInner) {
      if (is_off(value) || !ends_like(path, inner.theirs)) continue;
      std::string whole;
      for (const std::string& word : path) whole += (whole.empty() ? "" : ".") + word;
      return whole + ": " + std::string(inner.why);
    }
    if (std::string why = refused_inside(value, path); !why.empty()) return why;
    path.pop_back();
  }
  return "";
}

}  // namespace

const BlackboxKey* BlackboxProber::find_ours(std::string_view key) const {
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const BlackboxKey& k) { return k.ours == key; });
  return found == keys.end() ? nullptr : &*found;
}

const BlackboxKey* BlackboxProber::find(std::string_view key) const {
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const BlackboxKey& k) { return k.theirs == key; });
  return found == keys.end() ? nullptr : &*found;
}

const BlackboxProber* find_prober(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(kProbers), std::end(kProbers), [&](const BlackboxProber& p) { return p.name == name; });
  return found == std::end(kProbers) ? nullptr : found;
}

bool is_off(const Node& value) {
  if (value.is_null()) return true;
  if (value.is_sequence()) return value.items().empty();
  if (value.is_mapping()) return value.entries().empty();
  return value.scalar().empty() || value.scalar() == "false" || value.scalar() == "0";
}

std::string prober_names() {
  std::string out;
  for (const BlackboxProber& prober : kProbers) out += (out.empty() ? "" : ", ") + std::string(prober.name);
  return out;
}

std::string refused_key(const BlackboxProber& prober, const Node& settings) {
  for (const auto& [key, value] : settings.entries()) {
    const BlackboxKey* known = prober.find(key.scalar());
    if (known && known->kind == Kind::off && !is_off(value))
      return std::string(prober.name) + "." + key.scalar() + ": " + std::string(known->why);
  }
  std::vector<std::string> path{std::string(prober.name)};
  return refused_inside(settings, path);
}

void check_keys(const BlackboxProber& prober, const Node& settings, const std::string& path, config::Errors& errors) {
  std::vector<std::string> names;
  for (const BlackboxKey& key : prober.keys) names.emplace_back(key.theirs);
  for (const auto& [key, value] : settings.entries()) {
    if (prober.find(key.scalar())) continue;
    const std::string near = base::nearest(key.scalar(), names);
    errors.add(key.mark(), path + "." + key.scalar(),
               "unknown key" + (near.empty() ? "" : "; did you mean '" + near + "'?"));
  }
}

}  // namespace probe
