#include "probe/blackbox.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "base/ascii.h"
#include "base/edit_distance.h"
#include "base/file.h"
#include "config/flow_text.h"
#include "config/scalar.h"
#include "probe/registry.h"
#include "probe/types/values.h"

namespace probe {
namespace {

using config::Errors;
using config::Node;

// What one key of a module means in the words of our own types.
enum class Kind {
  same,     // goes over under `ours`
  implied,  // what it asks for is done always, or written by write_target()
  off,      // has no counterpart: fine while it is false, 0 or empty
};

struct Key {
  std::string_view theirs;
  std::string_view ours;
  Kind kind = Kind::same;
};

// The keys of the exporter's http prober, its HTTP client configuration included (blackbox_exporter CONFIGURATION.md).
constexpr Key kHttp[] = {
    {"method", "method"},
    {"headers", "headers"},
    {"body", "body"},
    {"valid_status_codes", "valid_status_codes"},
    {"valid_http_versions", "valid_http_versions"},
    {"fail_if_ssl", "fail_if_ssl"},
    {"fail_if_not_ssl", "fail_if_not_ssl"},
    {"fail_if_body_matches_regexp", "fail_if_body_matches_regexp"},
    {"fail_if_body_not_matches_regexp", "fail_if_body_not_matches_regexp"},
    {"fail_if_header_matches", "fail_if_header_matches"},
    {"fail_if_header_not_matches", "fail_if_header_not_matches"},
    {"tls_config", "tls_config"},
    {"basic_auth", "basic_auth"},
    {"authorization", "authorization"},
    {"proxy_url", "proxy_url"},
    {"follow_redirects", "follow_redirects"},
    {"enable_http2", "", Kind::implied},
    {"compression", "compression"},
    {"preferred_ip_protocol", "", Kind::implied},
    {"ip_protocol_fallback", "", Kind::implied},
    {"no_follow_redirects", "", Kind::implied},
    {"bearer_token", "", Kind::implied},
    {"bearer_token_file", "", Kind::implied},
    {"body_file", "", Kind::implied},
    {"body_size_limit", "", Kind::implied},
    {"skip_resolve_phase_with_proxy", "", Kind::implied},
    {"oauth2", "", Kind::off},
    {"no_proxy", "", Kind::off},
    {"proxy_from_environment", "", Kind::off},
    {"proxy_connect_header", "", Kind::off},
    {"http_headers", "", Kind::off},
    {"fail_if_body_json_matches_cel", "", Kind::off},
    {"fail_if_body_json_not_matches_cel", "", Kind::off},
};
constexpr Key kTcp[] = {
    {"query_response", "query_response"},
    {"tls", "tls"},
    {"tls_config", "tls_config"},
    {"preferred_ip_protocol", "", Kind::implied},
    {"ip_protocol_fallback", "", Kind::implied},
    {"source_ip_address", "", Kind::off},
};
constexpr Key kUnix[] = {
    {"query_response", "query_response"},
    {"tls", "", Kind::off},
    {"tls_config", "", Kind::off},
};
constexpr Key kIcmp[] = {
    {"payload_size", "payload_size"},
    {"ttl", "ttl"},
    {"dont_fragment", "dont_fragment"},
    {"preferred_ip_protocol", "", Kind::implied},
    {"ip_protocol_fallback", "", Kind::implied},
    {"source_ip_address", "", Kind::off},
};
constexpr Key kGrpc[] = {
    {"service", "service"},
    {"tls", "tls"},
    {"tls_config", "tls_config"},
    {"metadata", "", Kind::off},  // a list of values there
    {"preferred_ip_protocol", "", Kind::implied},
    {"ip_protocol_fallback", "", Kind::implied},
};
constexpr Key kDns[] = {
    {"query_name", "query_name"},
    {"query_type", "query_type"},
    {"recursion_desired", "recursion_desired"},
    {"transport_protocol", "transport_protocol"},
    {"valid_rcodes", "valid_rcodes"},
    {"validate_answer_rrs", "validate_answer_rrs"},
    {"validate_authority_rrs", "", Kind::off},
    {"validate_additional_rrs", "", Kind::off},
    {"query_class", "", Kind::implied},
    {"dns_over_tls", "", Kind::off},
    {"tls_config", "", Kind::off},
    {"preferred_ip_protocol", "", Kind::implied},
    {"ip_protocol_fallback", "", Kind::implied},
    {"source_ip_address", "", Kind::off},
};

struct Prober {
  std::string_view name;
  std::string_view type;
  std::span<const Key> keys;
};
constexpr Prober kProbers[] = {
    {"http", "http", kHttp}, {"tcp", "tcp", kTcp},    {"unix", "unix", kUnix},
    {"icmp", "icmp", kIcmp}, {"grpc", "grpc", kGrpc}, {"dns", "dns", kDns},
};

const Prober* find_prober(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(kProbers), std::end(kProbers), [&](const Prober& p) { return p.name == name; });
  return found == std::end(kProbers) ? nullptr : found;
}

std::string prober_names() {
  std::string out;
  for (const Prober& prober : kProbers) out += (out.empty() ? "" : ", ") + std::string(prober.name);
  return out;
}

const Key* find_key(const Prober& prober, std::string_view name) {
  const auto found =
      std::find_if(prober.keys.begin(), prober.keys.end(), [&](const Key& k) { return k.theirs == name; });
  return found == prober.keys.end() ? nullptr : &*found;
}

bool is_off(const Node& value) {
  if (value.is_null()) return true;
  if (value.is_sequence()) return value.items().empty();
  if (value.is_mapping()) return value.entries().empty();
  return value.scalar().empty() || value.scalar() == "false" || value.scalar() == "0";
}

// Our own type's mapping while it is written: YAML in flow style.
class Draft {
 public:
  explicit Draft(std::string folder) : folder_(std::move(folder)) {}

  // A key that is there already gets the new value.
  void raw(std::string_view key, std::string value) { entries_.insert_or_assign(std::string(key), std::move(value)); }
  void word(std::string_view key, std::string_view value) { raw(key, config::quoted(value)); }
  // Paths of files are relative to the modules' file.
  void copy(std::string_view key, const Node& value) { raw(key, with_folder(key, value)); }
  std::string beside(const std::string& path) const { return (std::filesystem::path(folder_) / path).string(); }

  std::string text() const {
    std::string out = "{";
    for (const auto& [key, value] : entries_) {
      if (out.size() > 1) out += ", ";
      out += config::quoted(key) + ": " + value;
    }
    return out + "}";
  }

 private:
  std::string with_folder(std::string_view key, const Node& value) const {
    if (value.is_scalar() && key.ends_with("_file") && !value.scalar().empty())
      return config::quoted(beside(value.scalar()));
    if (!value.is_mapping()) return config::flow_text(value);
    Draft inner(folder_);
    for (const auto& [name, each] : value.entries()) inner.copy(name.scalar(), each);
    return inner.text();
  }

  std::string folder_;
  std::map<std::string, std::string> entries_;
};

// With a fallback (the exporter's default) any address will do, without one the preferred family only. The exporter
// then takes the first address of the preferred family and no other; ours are tried in turn.
void write_family(const Node& settings, Draft& draft) {
  const Node preferred = settings.find("preferred_ip_protocol");
  const bool fallback = settings.find("ip_protocol_fallback").scalar() != "false";
  if (!fallback) draft.raw("ip_protocol", preferred.scalar() == "ip4" ? "ip4" : "ip6");
}

bool has_key(const Node& mapping, std::string_view wanted) {
  for (const auto& [key, value] : mapping.entries())
    if (base::same_word(key.scalar(), wanted)) return true;
  return false;
}

// A TLS server name and, for HTTP, a Host header, unless the module has its own.
void write_hostname(const Node& settings, const std::string& hostname, bool is_http, Draft& draft) {
  const auto with = [&](const char* key, const char* inner_key, const char* unless) {
    const Node given = settings.find(key);
    Draft inner(draft.beside(""));
    for (const auto& [name, value] : given.entries()) inner.copy(name.scalar(), value);
    if (!has_key(given, unless)) inner.word(inner_key, hostname);
    draft.raw(key, inner.text());
  };
  with("tls_config", "server_name", "server_name");
  if (is_http) with("headers", "Host", "host");
}

// 10MB, 64KiB or a number of bytes, as in alecthomas/units: decimal and binary alike by 1024.
std::optional<std::size_t> bytes_of(const std::string& text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0 || digits > 12) return std::nullopt;
  std::string unit = text.substr(digits);
  if (unit.ends_with("iB")) unit.resize(unit.size() - 2);
  else if (unit.ends_with('B')) unit.pop_back();
  static constexpr std::string_view kUnits = "KMGT";
  const std::size_t at = unit.empty() ? std::string_view::npos : kUnits.find(unit[0]);
  if (unit.size() > 1 || (!unit.empty() && at == std::string_view::npos)) return std::nullopt;
  return std::stoull(text.substr(0, digits)) << (unit.empty() ? 0 : 10 * (at + 1));
}

// Where the exporter sets no limit, we do: an endless body ends some time.
constexpr std::size_t kLongestBody = 10 * 1024 * 1024;

base::Result<> write_http(const Node& settings, const std::string& target, Draft& draft) {
  const bool has_scheme = target.starts_with("http://") || target.starts_with("https://");
  draft.word("url", has_scheme ? target : "http://" + target);
  if (settings.find("no_follow_redirects").scalar() == "true") draft.raw("follow_redirects", "false");
  // As Go's client does, and only over TLS.
  const bool http2 = target.starts_with("https://") && settings.find("enable_http2").scalar() != "false";
  draft.raw("http2", http2 ? "true" : "false");
  if (const Node token = settings.find("bearer_token"); !token.is_null())
    draft.raw("authorization", "{credentials: " + config::quoted(token.scalar()) + "}");
  if (const Node file = settings.find("bearer_token_file"); !file.is_null())
    draft.raw("authorization", "{credentials_file: " + config::quoted(draft.beside(file.scalar())) + "}");
  if (const Node file = settings.find("body_file"); !file.is_null()) {
    TRY(const std::string body, base::read_file(draft.beside(file.scalar())));
    draft.word("body", body);
  }
  std::size_t limit = 0;
  if (const Node size = settings.find("body_size_limit"); !size.is_null()) {
    const auto bytes = bytes_of(size.scalar());
    if (!bytes)
      return base::fail(base::Kind::invalid, "body_size_limit: expected bytes such as 10MB, got " + size.scalar());
    limit = *bytes;
  }
  draft.raw("body_limit", std::to_string(limit == 0 ? kLongestBody : limit));
  return {};
}

// HOST, HOST:PORT, [V6]:PORT; the port is "" if there is none.
std::pair<std::string, std::string> split(const std::string& target) {
  if (target.ends_with(']') || target.find(':') == std::string::npos)
    return {host_and_port(target + ":")[0].second, ""};
  const auto parts = host_and_port(target);
  return {parts[0].second, parts[1].second};
}

base::Result<> write_target(const Prober& prober, const Node& settings, const std::string& target, Draft& draft) {
  if (prober.name == "http") return write_http(settings, target, draft);
  if (prober.name == "unix") {
    draft.word("path", target);
    return {};
  }
  if (prober.name == "icmp") {
    draft.word("host", target);
    return {};
  }
  const auto [host, port] = split(target);
  const bool is_number = !port.empty() && port.find_first_not_of("0123456789") == std::string::npos;
  if (!is_number && (prober.name != "dns" || !port.empty()))
    return base::fail(base::Kind::invalid, "the target must be HOST:PORT, got '" + target + "'");
  draft.word(prober.name == "dns" ? "server" : "host", host);
  if (is_number) draft.raw("port", port);
  if (prober.name == "dns") {
    draft.raw("min_answers", "0");
    if (settings.find("query_type").is_null()) draft.raw("query_type", "ANY");
  }
  return {};
}

// Why a module cannot be run here; "" if it can.
std::string unusable(const Prober& prober, const Node& settings) {
  for (const auto& [key, value] : settings.entries()) {
    const Key* known = find_key(prober, key.scalar());
    if (known && known->kind == Kind::off && !is_off(value))
      return "it sets " + std::string(prober.name) + "." + key.scalar() + ", which fettle does not offer";
  }
  return "";
}

void check_keys(const Prober& prober, const Node& settings, const std::string& path, Errors& errors) {
  std::vector<std::string> names;
  for (const Key& key : prober.keys) names.emplace_back(key.theirs);
  for (const auto& [key, value] : settings.entries()) {
    if (find_key(prober, key.scalar())) continue;
    const std::string near = base::nearest(key.scalar(), names);
    errors.add(key.mark(), path + "." + key.scalar(),
               "unknown key" + (near.empty() ? "" : "; did you mean '" + near + "'?"));
  }
}

}  // namespace

BlackboxModules::BlackboxModules() {
  for (const auto& [name, prober] : {std::pair{"http_2xx", "http"}, {"tcp_connect", "tcp"}, {"icmp", "icmp"}})
    modules_[name] = {prober, base::Millis{0}, {}, std::string("prober: ") + prober};
}

BlackboxModules BlackboxModules::load(const std::string& file, Errors& errors) {
  BlackboxModules loaded;
  loaded.modules_.clear();
  loaded.folder_ = std::filesystem::path(file).parent_path().string();
  const auto text = base::read_file(file);
  if (!text) {
    errors.add({file, 0, 0}, "", text.error().text);
    return loaded;
  }
  const Node root = Node::parse(*text, file, errors);
  for (const auto& [key, value] : root.entries())
    if (key.scalar() != "modules")
      errors.add(key.mark(), key.scalar(), "unknown key; the file has the one key 'modules'");
  for (const auto& [name, module] : root.find("modules").entries()) {
    const std::string path = "modules." + name.scalar();
    Module& made = loaded.modules_[name.scalar()];
    made.prober = module.find("prober").scalar();
    made.text = config::flow_text(module);
    const Prober* prober = find_prober(made.prober);
    if (!prober) {
      errors.add(module.mark(), path + ".prober", "expected one of " + prober_names() + ", got '" + made.prober + "'");
      continue;
    }
    made.settings = module.find(made.prober);
    std::string why;
    if (const Node timeout = module.find("timeout"); !timeout.is_null() && !config::read(timeout, made.timeout, why))
      errors.add(timeout.mark(), path + ".timeout", why);
    const std::size_t before = errors.size();
    for (const auto& [key, value] : module.entries())
      if (key.scalar() != "prober" && key.scalar() != "timeout" && !find_prober(key.scalar()))
        errors.add(key.mark(), path + "." + key.scalar(), "unknown key");
    check_keys(*prober, made.settings, path + "." + made.prober, errors);
    if (errors.size() > before || !unusable(*prober, made.settings).empty()) continue;
    const auto tried = loaded.spec(name.scalar(), "127.0.0.1:1", "", base::Millis{1000});
    if (!tried) errors.add(module.mark(), path, tried.error().text);
  }
  return loaded;
}

base::Result<Spec> BlackboxModules::spec(const std::string& name, const std::string& target,
                                         const std::string& hostname, base::Millis limit) const {
  const auto found = modules_.find(name);
  if (found == modules_.end()) return base::fail(base::Kind::not_found, "Unknown module \"" + name + "\"");
  const Module& module = found->second;
  const Prober& prober = *find_prober(module.prober);
  if (const std::string why = unusable(prober, module.settings); !why.empty())
    return base::fail(base::Kind::invalid, "module \"" + name + "\" cannot be used: " + why);
  Draft draft(folder_);
  for (const auto& [key, value] : module.settings.entries())
    if (const Key& known = *find_key(prober, key.scalar()); known.kind == Kind::same && !value.is_null())
      draft.copy(known.ours, value);
  if (prober.name != "unix") write_family(module.settings, draft);
  TRY_VOID(write_target(prober, module.settings, target, draft));
  if (!hostname.empty() && (prober.name == "http" || prober.name == "tcp"))
    write_hostname(module.settings, hostname, prober.name == "http", draft);

  Spec spec;
  spec.service = "blackbox";
  spec.name = name;
  spec.type = find_type(prober.type);
  spec.interval = spec.timeout = module.timeout.count() > 0 ? std::min(module.timeout, limit) : limit;
  Errors errors;
  const Node node = Node::parse(draft.text(), name, errors);
  if (errors.empty()) spec.settings = spec.type->parse(node, prober.type.data(), Owner{spec.service, name, ""}, errors);
  if (!errors.empty()) return base::fail(base::Kind::invalid, errors.text());
  return spec;
}

std::string BlackboxModules::text(const std::string& module) const {
  const auto found = modules_.find(module);
  return found == modules_.end() ? "" : found->second.text;
}

std::vector<std::string> BlackboxModules::names() const {
  std::vector<std::string> out;
  for (const auto& [name, module] : modules_) out.push_back(name);
  return out;
}

}  // namespace probe
