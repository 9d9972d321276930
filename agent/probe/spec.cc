#include "probe/spec.h"

#include <algorithm>
#include <utility>

#include "base/edit_distance.h"
#include "config/agent_config.h"
#include "config/flow_text.h"
#include "config/redact.h"
#include "probe/common/probe_schema.h"
#include "probe/health.h"
#include "probe/kubernetes.h"
#include "probe/registry.h"

namespace probe {
namespace {

using config::Errors;
using config::Node;

std::string settings_text(const Node& probe) {
  std::string out;
  for (const auto& [key, value] : probe.entries()) {
    if (is_common_key(key.scalar())) continue;
    out += config::quoted_text(key.scalar()) + ": " + config::flow_text(value) + ", ";
  }
  return out;
}

void check_common(const CommonKeys& keys, const config::Complain& complain) {
  if (keys.interval < base::Millis{10}) complain("interval", "must be at least 10ms");
  if (keys.timeout < base::Millis{1}) complain("timeout", "must be at least 1ms");
  if (keys.timeout > keys.interval)
    complain("timeout", "is " + base::format_duration(keys.timeout) + ", longer than the interval of " +
                            base::format_duration(keys.interval) + "; a run must end before the next one starts");
  if (keys.fast_interval > keys.interval) complain("fast_interval", "must not be longer than interval");
  if (keys.fast_interval.count() != 0 && keys.fast_interval < base::Millis{10})
    complain("fast_interval", "must be at least 10ms");
  if (keys.down_interval.count() != 0 && keys.down_interval < keys.timeout)
    complain("down_interval", "is " + base::format_duration(keys.down_interval) + ", shorter than the timeout of " +
                                  base::format_duration(keys.timeout) + "; a run must end before the next one starts");
  if (!(keys.jitter >= 0 && keys.jitter <= 0.5)) complain("jitter", "must be a part of the interval from 0 to 0.5");
  if (keys.startup_grace < base::Millis{0}) complain("startup_grace", "must not be negative");
  if (keys.failure_window != 0 &&
      (keys.failure_window < keys.failure_threshold || keys.failure_window > kLongestWindow))
    complain("failure_window", "must be at least failure_threshold (" + std::to_string(keys.failure_threshold) +
                                   ") and at most " + std::to_string(kLongestWindow) + " runs, or 0");
  for (const auto& [key, value] :
       {std::pair{"failure_threshold", keys.failure_threshold}, std::pair{"success_threshold", keys.success_threshold}})
    if (value < 1) complain(key, "must be at least 1");
}

std::string yaml_value(const std::string& value) {
  if (!value.empty() && (value[0] == '[' || value[0] == '{')) return value;
  const bool plain = !value.empty() && std::all_of(value.begin(), value.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '.' || c == '_';
  });
  return plain ? value : config::quoted_text(value);
}

// a.b.c=v as {a: {b: {c: v}}}; keys with one beginning share their mapping.
struct Tree {
  struct Branch;
  std::string value;
  std::vector<Branch> inner;

  Tree& at(const std::string& key);
  std::string yaml() const;
};

struct Tree::Branch {
  std::string name;
  Tree tree;
};

Tree& Tree::at(const std::string& key) {
  for (Branch& branch : inner)
    if (branch.name == key) return branch.tree;
  return inner.emplace_back(Branch{key, {}}).tree;
}

std::string Tree::yaml() const {
  if (inner.empty()) return value;
  std::string out = "{";
  for (const Branch& branch : inner) {
    if (out.size() > 1) out += ", ";
    out += config::quoted_text(branch.name) + ": " + branch.tree.yaml();
  }
  return out + "}";
}

}  // namespace

const Type* read_type(const Node& probe, const std::string& path, Errors& errors) {
  const Node value = probe.find("type");
  if (value.is_null()) {
    const bool kubernetes = !probe.find("periodSeconds").is_null() || !probe.find("livenessProbe").is_null() ||
                            !probe.find("readinessProbe").is_null() || !probe.find("startupProbe").is_null();
    errors.add(probe.mark(), path + ".type",
               kubernetes ? "required, or one of Kubernetes' httpGet, tcpSocket, grpc and exec in its place, such as "
                            "{name: ready, httpGet: {port: 8080}, periodSeconds: 5}"
                          : "required, one of " + types().list());
    return nullptr;
  }
  if (const Type* type = types().find(value.scalar())) return type;
  const std::string near = base::nearest(value.scalar(), types().names());
  errors.add(value.mark(), path + ".type",
             "there is no probe type '" + value.scalar() + "'; " +
                 (near.empty() ? "known are " + types().list() : "did you mean '" + near + "'?"));
  return nullptr;
}

CommonKeys parse_common(const Node& probe, const std::string& path, const config::Global& global, Errors& errors) {
  constexpr base::Millis kUnset = base::Millis::min();
  CommonKeys defaults;
  defaults.interval = global.interval;
  defaults.timeout = kUnset;
  CommonKeys keys = common_schema().parse_beside(probe, path, errors, std::move(defaults));
  // A default must not be a mistake: a shorter interval than the global timeout is its own limit.
  if (keys.timeout == kUnset) keys.timeout = std::min({global.timeout, global.interval, keys.interval});
  check_common(keys, [&](std::string_view key, std::string_view what) {
    config::detail::complain_at(probe, path, errors, key, what);
  });
  return keys;
}

std::optional<Spec> parse_probe(const Node& probe, const std::string& path, const std::string& service,
                                const std::string& unit, const config::Global& global, Errors& errors) {
  if (!probe.is_mapping()) {
    errors.add(probe.mark(), path, config::expected("a mapping", probe));
    return std::nullopt;
  }
  if (is_kubernetes_probe(probe)) {
    const std::optional<Node> own = from_kubernetes(probe, path, errors);
    return own ? parse_probe(*own, path, service, unit, global, errors) : std::nullopt;
  }
  Spec spec{parse_common(probe, path, global, errors)};
  spec.service = service;
  spec.type = read_type(probe, path, errors);
  if (!spec.type) return std::nullopt;
  if (spec.name.empty()) spec.name = std::string(spec.type->name);
  spec.settings_text = settings_text(probe);
  const std::size_t before = errors.size();
  spec.settings = spec.type->parse(probe, path, Owner{service, spec.name, unit}, errors);
  spec.secrets = config::secrets_of(probe);
  if (errors.size() > before) errors.blot(spec.secrets);
  return spec;
}

std::vector<Spec> parse_probes(const std::string& service, const config::Service& settings,
                               const config::Global& global, Errors& errors) {
  std::vector<Spec> specs;
  std::size_t at = 0;
  for (const Node& probe : settings.probes) {
    const std::string path = config::service_path(service) + ".probes[" + std::to_string(at++) + "]";
    std::optional<Spec> spec = parse_probe(probe, path, service, settings.unit, global, errors);
    if (!spec) continue;
    spec->healthy_probes = settings.healthy_probes;
    const bool taken = std::any_of(specs.begin(), specs.end(), [&](const Spec& s) { return s.name == spec->name; });
    if (taken)
      config::detail::complain_at(
          probe, path, errors, "name",
          "the service has a probe '" + spec->name + "' already; give this one a name of its own");
    specs.push_back(std::move(*spec));
  }
  return specs;
}

bool is_setting(std::string_view word) {
  const std::size_t equals = word.find('=');
  return equals != std::string_view::npos && equals > 0 &&
         std::all_of(word.begin(), word.begin() + static_cast<std::ptrdiff_t>(equals), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
         });
}

base::Result<Spec> spec_from_arguments(const std::string& type, const std::string& target,
                                       const std::vector<std::string>& settings) {
  const Type* known = types().find(type);
  if (!known)
    return base::fail(base::Kind::invalid, "there is no probe type '" + type + "'; known are " + types().list());
  Tree tree;
  tree.at("type").value = type;
  if (!target.empty()) {
    if (!known->keys_of_target)
      return base::fail(base::Kind::invalid,
                        "a probe of type " + type + " takes no target; write its keys as key=value");
    for (const auto& [key, value] : known->keys_of_target(target)) tree.at(key).value = yaml_value(value);
  }
  for (const std::string& setting : settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos || equals == 0)
      return base::fail(base::Kind::invalid, "'" + setting + "' is no setting; write key=value, such as timeout=500ms");
    Tree* place = &tree;
    std::string_view key = std::string_view(setting).substr(0, equals);
    for (std::size_t dot = key.find('.'); dot != std::string_view::npos; dot = key.find('.')) {
      place = &place->at(std::string(key.substr(0, dot)));
      key.remove_prefix(dot + 1);
    }
    place->at(std::string(key)).value = yaml_value(setting.substr(equals + 1));
  }
  Errors errors;
  const Node node = Node::parse(tree.yaml(), "command line", errors);
  std::optional<Spec> spec;
  if (errors.empty()) {
    config::Global global;
    // One run has no next one that its timeout could run into.
    global.interval = std::chrono::hours{1};
    global.timeout = base::Millis{10'000};
    spec = parse_probe(node, type, "command line", "", global, errors);
  }
  if (!errors.empty()) return base::fail(base::Kind::invalid, errors.text());
  return std::move(*spec);
}

}  // namespace probe
