#include "probe/blackbox/blackbox.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include "base/ascii.h"
#include "base/file.h"
#include "config/agent_config.h"
#include "config/flow_text.h"
#include "config/redact.h"
#include "config/scalar.h"
#include "probe/blackbox/blackbox_keys.h"
#include "probe/common/values.h"
#include "probe/registry.h"

namespace probe {
namespace {

using config::Errors;
using config::Node;

// Our own type's mapping while it is written: YAML in flow style.
class Draft {
 public:
  explicit Draft(std::string folder) : folder_(std::move(folder)) {}

  // A key that is there already gets the new value.
  void raw(std::string_view key, std::string value) { entries_.insert_or_assign(std::string(key), std::move(value)); }
  void word(std::string_view key, std::string_view value) { raw(key, config::quoted_text(value)); }
  // Paths of files are relative to the modules' file.
  void copy(std::string_view key, const Node& value) { raw(key, with_folder(key, value)); }
  std::string beside(const std::string& path) const { return (std::filesystem::path(folder_) / path).string(); }

  std::string text() const {
    std::string out = "{";
    for (const auto& [key, value] : entries_) {
      if (out.size() > 1) out += ", ";
      out += config::quoted_text(key) + ": " + value;
    }
    return out + "}";
  }

 private:
  std::string with_folder(std::string_view key, const Node& value) const {
    if (value.is_scalar() && key.ends_with("_file") && !value.scalar().empty())
      return config::quoted_text(beside(value.scalar()));
    if (!value.is_mapping()) return config::flow_text(value);
    Draft inner(folder_);
    for (const auto& [name, each] : value.entries()) inner.copy(name.scalar(), each);
    return inner.text();
  }

  std::string folder_;
  std::map<std::string, std::string> entries_;
};

// The exporter takes one address of the preferred family, which is IPv6 if none is given; with a fallback (its default)
// one of the other family where there is none.
void write_family(const Node& settings, Draft& draft) {
  const Node preferred = settings.find("preferred_ip_protocol");
  const bool fallback = settings.find("ip_protocol_fallback").scalar() != "false";
  draft.raw("ip_protocol",
            std::string(fallback ? "prefer_" : "first_") + (preferred.scalar() == "ip4" ? "ip4" : "ip6"));
}

bool has_key(const Node& mapping, std::string_view wanted) {
  for (const auto& [key, value] : mapping.entries())
    if (base::same_word(key.scalar(), wanted)) return true;
  return false;
}

// For TCP a TLS server name, unless the module has its own; for HTTP a Host header, which names the peer in TLS as
// well.
void write_hostname(const Node& settings, const std::string& hostname, bool is_http, Draft& draft) {
  const auto with = [&](const char* key, const char* inner_key, const char* unless) {
    const Node given = settings.find(key);
    Draft inner(draft.beside(""));
    for (const auto& [name, value] : given.entries()) inner.copy(name.scalar(), value);
    if (!has_key(given, unless)) inner.word(inner_key, hostname);
    draft.raw(key, inner.text());
  };
  if (is_http) with("headers", "Host", "host");
  else with("tls_config", "server_name", "server_name");
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

// A token that the older keys name.
void write_bearer(const Node& settings, Draft& draft) {
  if (const Node token = settings.find("bearer_token"); !token.is_null())
    draft.raw("authorization", "{credentials: " + config::quoted_text(token.scalar()) + "}");
  if (const Node file = settings.find("bearer_token_file"); !file.is_null())
    draft.raw("authorization", "{credentials_file: " + config::quoted_text(draft.beside(file.scalar())) + "}");
}

// headers, and Prometheus' http_headers: {NAME: {values: [...], secrets: [...]}}.
base::Result<> write_headers(const Node& settings, const Node& client, Draft& draft) {
  Draft headers(draft.beside(""));
  for (const auto& [name, value] : settings.find("headers").entries()) headers.copy(name.scalar(), value);
  for (const auto& [name, lines] : client.find("http_headers").entries()) {
    std::string all;
    for (const auto& [kind, values] : lines.entries()) {
      if (kind.scalar() != "values" && kind.scalar() != "secrets" && kind.scalar() != "files")
        return base::fail(base::Kind::invalid, "http_headers." + name.scalar() + ": unknown key " + kind.scalar());
      for (const Node& value : values.items()) all += (all.empty() ? "" : ", ") + config::flow_text(value);
    }
    headers.raw(name.scalar(), "[" + all + "]");
  }
  draft.raw("headers", headers.text());
  return {};
}

base::Result<> write_websocket(const Node& settings, const std::string& target, Draft& draft) {
  const bool has_scheme = target.starts_with("ws://") || target.starts_with("wss://");
  draft.word("url", has_scheme ? target : "ws://" + target);
  draft.raw("ping", "false");  // theirs does not
  const Node client = settings.find("http_config");
  for (const char* key : {"tls_config", "basic_auth", "authorization"})
    if (const Node value = client.find(key); !value.is_null()) draft.copy(key, value);
  write_bearer(client, draft);
  return write_headers(settings, client, draft);
}

bool is_one_of(char c, std::string_view more) {
  return base::is_alphanumeric(c) || more.find(c) != std::string_view::npos;
}

// The path of a URL as Go writes it: unchanged if it is valid, else decoded and encoded again. A % without two
// hexadecimal digits is an error.
base::Result<std::string> escaped_path(std::string_view path) {
  std::string decoded;
  bool as_it_stands = true;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const bool escape = path[i] == '%';
    const int high = escape && i + 2 < path.size() ? base::hex_digit(path[i + 1]) : -1;
    const int low = high >= 0 ? base::hex_digit(path[i + 2]) : -1;
    if (escape && low < 0)
      return base::fail(base::Kind::invalid, "the URL has a % that no two hexadecimal digits follow");
    as_it_stands = as_it_stands && (escape || is_one_of(path[i], "-_.~!$&'()*+,;=:@/[]"));
    decoded += escape ? static_cast<char>(high * 16 + low) : path[i];
    if (escape) i += 2;
  }
  if (as_it_stands) return std::string(path);
  std::string out;
  for (const char c : decoded)
    out += is_one_of(c, "-_.~$&+,/:;=@") ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return out;
}

// The target with its path so, and with no blank in its query.
base::Result<std::string> escaped_url(const std::string& target) {
  const std::size_t scheme = target.find("://");
  const std::size_t path =
      std::min(target.find_first_of("/?#", scheme == std::string::npos ? 0 : scheme + 3), target.size());
  const std::size_t query = std::min(target.find_first_of("?#", path), target.size());
  TRY(std::string out, escaped_path(std::string_view(target).substr(path, query - path)));
  out.insert(0, target, 0, path);
  for (std::size_t i = query; i < target.size(); ++i) out += target[i] == ' ' ? "%20" : std::string(1, target[i]);
  return out;
}

base::Result<> write_http(const Node& settings, const std::string& target, Draft& draft) {
  const bool has_scheme = target.starts_with("http://") || target.starts_with("https://");
  TRY(const std::string url, escaped_url(target));
  draft.word("url", (has_scheme ? "" : "http://") + url);
  if (settings.find("no_follow_redirects").scalar() == "true") draft.raw("follow_redirects", "false");
  if (settings.find("accept_any_response").scalar() == "true") draft.raw("valid_status_codes", "[100-999]");
  else if (is_off(settings.find("valid_status_codes"))) draft.raw("valid_status_codes", "[2xx]");
  // As Go's client does, and only over TLS.
  const bool http2 = target.starts_with("https://") && settings.find("enable_http2").scalar() != "false";
  draft.raw("http2", http2 ? "true" : "false");
  write_bearer(settings, draft);
  TRY_VOID(write_headers(settings, settings, draft));
  if (const Node file = settings.find("body_file"); !file.is_null()) {
    TRY(const std::string body, base::read_file(draft.beside(file.scalar())));
    draft.word("body", body);
  }
  if (const Node size = settings.find("body_size_limit"); !size.is_null()) {
    const auto bytes = bytes_of(size.scalar());
    if (!bytes)
      return base::fail(base::Kind::invalid, "body_size_limit: expected bytes such as 10MB, got " + size.scalar());
    if (*bytes > 0) draft.raw("body_limit", std::to_string(*bytes));
  }
  return {};
}

// HOST, HOST:PORT, [V6]:PORT; the port is "" if there is none. An IPv6 address without brackets has none.
std::pair<std::string, std::string> split(const std::string& target) {
  const std::size_t colon = target.find(':');
  if (target.front() != '[' && colon != target.rfind(':')) return {target, ""};
  if (target.ends_with(']') || colon == std::string::npos) return {host_and_port(target + ":")[0].second, ""};
  const auto parts = host_and_port(target);
  return {parts[0].second, parts[1].second};
}

// "smtp" as the system knows it; others as they are.
std::string number_of_service(std::string port) {
  while (port.size() > 1 && (port.front() == '0' || port.front() == '+')) port.erase(0, 1);  // as Go reads numbers
  if (port.empty() || port.find_first_not_of("0123456789") == std::string::npos) return port;
  servent entry{};
  servent* found = nullptr;
  std::array<char, 1024> buffer{};
  if (::getservbyname_r(port.c_str(), "tcp", &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return port;
  return std::to_string(ntohs(static_cast<std::uint16_t>(entry.s_port)));
}

base::Result<> write_target(const BlackboxProber& prober, const Node& settings, const std::string& target,
                            Draft& draft) {
  if (prober.name == "http") return write_http(settings, target, draft);
  if (prober.name == "websocket") return write_websocket(settings, target, draft);
  if (prober.name == "unix") {
    draft.word("path", target);
    return {};
  }
  if (prober.name == "icmp") {
    draft.word("host", target);
    return {};
  }
  auto [host, port] = split(target);
  if (prober.name == "tcp") port = number_of_service(port);
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

// The first key of a probe that is secret or that only the configuration may set (config::Reach::file); "" if there is
// none. The keys of its target do not count.
std::string power_of(const BlackboxProber& prober, const Node& written, std::string_view target) {
  const Type& type = *types().find(prober.type);
  const auto of_target = type.keys_of_target(target);
  for (const auto& [name, value] : written.entries()) {
    const std::string& key = name.scalar();
    const auto is_key = [&](const auto& one) { return one.first == key; };
    if (is_off(value) || std::any_of(of_target.begin(), of_target.end(), is_key)) continue;
    const std::vector<config::KeyReference>& keys = type.reference();
    const auto reference =
        std::find_if(keys.begin(), keys.end(), [&](const config::KeyReference& known) { return known.key == key; });
    const BlackboxKey* known = prober.find_ours(key);
    const bool open =
        reference != keys.end() && (reference->reach >= config::Reach::listed || (known != nullptr && known->harmless));
    if (!open || config::holds_secrets(value, key)) return key;
  }
  return "";
}

// Marks what of a module may be shown: keys that go over as our own type marks them, of the others switches and limits.
void show_known_keys(const BlackboxProber& prober, const Node& module) {
  for (const char* key : {"prober", "timeout"}) module.find(key).expose(config::Exposure::shown);
  const std::vector<config::KeyReference>& ours = types().find(prober.type)->reference();
  for (const auto& [key, value] : module.find(prober.name).entries()) {
    const BlackboxKey* known = prober.find(key.scalar());
    if (known == nullptr) continue;
    if (known->kind == BlackboxKey::Kind::same) {
      for (const config::KeyReference& reference : ours)
        if (reference.key == known->ours) config::expose_as(value, reference);
    } else if (value.is_scalar() && !base::names_secret(key.scalar())) {
      value.expose(config::Exposure::shown);
    }
  }
  module.expose_rest(config::Exposure::withheld);
}

}  // namespace

BlackboxModules::BlackboxModules() {
  for (const auto& [name, prober] : {std::pair{"http_2xx", "http"}, {"tcp_connect", "tcp"}, {"icmp", "icmp"}})
    modules_[name] = {prober, base::Millis{0}, {}, std::string("prober: ") + prober, ""};
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
    const BlackboxProber* prober = find_prober(made.prober);
    if (!prober) {
      errors.add(module.mark(), path + ".prober", "expected one of " + prober_names() + ", got '" + made.prober + "'");
      made.has_mistakes = true;
      continue;
    }
    made.settings = module.find(made.prober);
    show_known_keys(*prober, module);
    made.text = config::shown_config(module);
    std::string why;
    const std::size_t before = errors.size();
    if (const Node timeout = module.find("timeout"); !timeout.is_null() && !config::read(timeout, made.timeout, why))
      errors.add(timeout.mark(), path + ".timeout", why);
    for (const auto& [key, value] : module.entries())
      if (key.scalar() != "prober" && key.scalar() != "timeout" && !find_prober(key.scalar()))
        errors.add(key.mark(), path + "." + key.scalar(), "unknown key");
    check_keys(*prober, made.settings, path + "." + made.prober, errors);
    made.has_mistakes = errors.size() > before;
    if (made.has_mistakes || !refused_key(*prober, made.settings).empty()) continue;
    const std::string target = made.prober == "unix" ? "/socket" : made.prober == "icmp" ? "127.0.0.1" : "127.0.0.1:1";
    Node written;
    const auto tried = loaded.spec_of(made, name.scalar(), target, "", base::Millis{1000}, written);
    for (const auto& [header, lines] : made.settings.find("http_headers").entries())
      if (!is_off(lines.find("secrets"))) made.own_power = "http_headers";
    if (!tried) made.own_power = "what cannot be read";
    else if (made.own_power.empty()) made.own_power = power_of(*prober, written, target);
    if (tried) continue;
    if (tried.error().kind != base::Kind::invalid) {  // a file that is not there yet
      errors.warn(module.mark(), path, tried.error().text + "; its runs fail until that is mended");
      continue;
    }
    errors.add(module.mark(), path, tried.error().text);
    made.has_mistakes = true;
  }
  return loaded;
}

base::Result<Spec> BlackboxModules::spec(const std::string& name, const std::string& target,
                                         const std::string& hostname, base::Millis limit) const {
  const auto found = modules_.find(name);
  if (found == modules_.end()) return base::fail(base::Kind::not_found, "Unknown module \"" + name + "\"");
  Node written;
  return spec_of(found->second, name, target, hostname, limit, written);
}

base::Result<Spec> BlackboxModules::spec_of(const Module& module, const std::string& name, const std::string& target,
                                            const std::string& hostname, base::Millis limit, Node& written) const {
  if (module.has_mistakes)
    return base::fail(base::Kind::invalid, "module \"" + name + "\" has mistakes: fettle check config names them");
  const BlackboxProber& prober = *find_prober(module.prober);
  if (const std::string why = refused_key(prober, module.settings); !why.empty())
    return base::fail(base::Kind::invalid, "module \"" + name + "\" cannot be used: it sets " + why);
  Draft draft(folder_);
  for (const auto& [key, value] : module.settings.entries())
    if (const BlackboxKey& known = *prober.find(key.scalar());
        known.kind == BlackboxKey::Kind::same && !value.is_null())
      draft.copy(known.ours, value);
  if (prober.name != "unix") write_family(module.settings, draft);
  TRY_VOID(write_target(prober, module.settings, target, draft));
  if (!hostname.empty() && (prober.name == "http" || prober.name == "tcp"))
    write_hostname(module.settings, hostname, prober.name == "http", draft);

  Spec spec;
  spec.service = "blackbox";
  spec.name = name;
  spec.type = types().find(prober.type);
  spec.interval = spec.timeout = module.timeout.count() > 0 ? std::min(module.timeout, limit) : limit;
  spec.settings_text = draft.text();
  Errors errors;
  written = Node::parse(spec.settings_text, name, errors);
  if (errors.empty())
    spec.settings = spec.type->parse(written, prober.type.data(), Owner{spec.service, name, ""}, errors);
  spec.secrets = config::secrets_of(written);
  errors.blot(spec.secrets);
  if (!errors.empty()) return base::fail(base::Kind::invalid, errors.text());
  return spec;
}

bool BlackboxModules::names_another_host(const std::string& module, const std::string& hostname) const {
  const auto found = modules_.find(module);
  if (hostname.empty() || found == modules_.end() || found->second.prober != "http") return false;
  for (const auto& [name, value] : found->second.settings.find("headers").entries())
    if (base::same_word(name.scalar(), "host") && value.scalar() != hostname) return true;
  return false;
}

bool BlackboxModules::usable(const std::string& module) const {
  const auto found = modules_.find(module);
  return found != modules_.end() && !found->second.has_mistakes &&
         refused_key(*find_prober(found->second.prober), found->second.settings).empty();
}

const Type* BlackboxModules::type(const std::string& module) const {
  const auto found = modules_.find(module);
  const BlackboxProber* prober = found == modules_.end() ? nullptr : find_prober(found->second.prober);
  return prober == nullptr ? nullptr : types().find(prober->type);
}

std::string BlackboxModules::own_power(const std::string& module) const {
  const auto found = modules_.find(module);
  return found == modules_.end() ? "" : found->second.own_power;
}

std::string BlackboxModules::text(const std::string& module) const {
  const auto found = modules_.find(module);
  return found == modules_.end() ? "" : found->second.text;
}

bool BlackboxModules::reads_files(const std::string& module) const {
  const auto found = modules_.find(module);
  return found != modules_.end() && !found->second.settings.find("body_file").is_null();
}

std::vector<std::string> BlackboxModules::names() const {
  std::vector<std::string> out;
  for (const auto& [name, module] : modules_) out.push_back(name);
  return out;
}

}  // namespace probe
