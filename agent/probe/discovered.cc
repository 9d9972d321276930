#include "probe/discovered.h"

#include <map>
#include <optional>
#include <utility>

#include "config/flow_text.h"
#include "probe/common_keys.h"
#include "probe/registry.h"

namespace probe {
namespace {

using config::Errors;
using config::Node;

constexpr std::string_view kProbePrefix = "__probe_";

// ${target} and ${LABEL} in a text; what names neither stays as it is, for a journey has variables of its own.
std::string filled(std::string_view text, const std::string& address, const model::Labels& labels) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t close = text.find('}', at);
    if (text.substr(at, 2) == "${" && close != std::string_view::npos) {
      const std::string_view name = text.substr(at + 2, close - at - 2);
      if (name == "target" || labels.has(name)) {
        out += name == "target" ? std::string_view(address) : labels.get(name);
        at = close + 1;
        continue;
      }
    }
    out += text[at++];
  }
  return out;
}

std::string filled(const Node& node, const std::string& address, const model::Labels& labels) {
  if (node.is_sequence()) {
    std::string out;
    for (const Node& item : node.items()) out += (out.empty() ? "" : ", ") + filled(item, address, labels);
    return "[" + out + "]";
  }
  if (node.is_mapping()) {
    std::string out;
    for (const auto& [key, value] : node.entries())
      out += (out.empty() ? "" : ", ") + config::quoted(key.scalar()) + ": " + filled(value, address, labels);
    return "{" + out + "}";
  }
  if (!node.is_scalar() || node.scalar().find("${") == std::string::npos) return config::flow_text(node);
  return config::quoted(filled(node.scalar(), address, labels));
}

// One probe as it is written: keys with their values in YAML. What is set later counts.
class Draft {
 public:
  void set(std::string_view key, std::string yaml) { values_.insert_or_assign(std::string(key), std::move(yaml)); }
  void erase(std::string_view key) { values_.erase(std::string(key)); }
  bool has(std::string_view key) const { return values_.contains(std::string(key)); }
  Node parse(const std::string& origin, Errors& errors) const {
    std::string text;
    for (const auto& [key, value] : values_) text += (text.empty() ? "" : ", ") + config::quoted(key) + ": " + value;
    return Node::parse("{" + text + "}", origin, errors);
  }

 private:
  std::map<std::string, std::string> values_;
};

std::string label_or(const model::Labels& labels, std::string_view name, std::string_view fallback) {
  return std::string(labels.has(name) ? labels.get(name) : fallback);
}

// The keys that a bare target stands for; an address becomes a URL where the type wants one.
void write_target(const Type& type, const std::string& address, const model::Labels& labels, Draft& draft) {
  if (!type.keys_of_target) return;
  std::string target = address;
  const auto keys = type.keys_of_target(target);
  const bool wants_url = !keys.empty() && keys.front().first == "url";
  if (wants_url && target.find("://") == std::string::npos)
    target = label_or(labels, "__scheme__", type.name == "websocket" ? "ws" : "http") + "://" + target +
             label_or(labels, "__metrics_path__", "");
  for (const auto& [key, value] : type.keys_of_target(target))
    if (!draft.has(key) && !value.empty()) draft.set(key, key == "port" ? value : config::quoted(value));
}

// A label's value as YAML: [1, 2] and {a: b} are lists and mappings, everything else a word or a number.
std::string yaml_of(std::string_view value) {
  if (value.starts_with('[') || value.starts_with('{')) return std::string(value);
  const bool plain = !value.empty() && value.find_first_not_of(
                                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                           "0123456789._") == std::string_view::npos;
  return plain ? std::string(value) : config::quoted(value);
}

bool is_own_label(std::string_view name) { return name.starts_with("__"); }

std::string labels_of(const Node& in_template, const std::string& address, const model::Labels& labels) {
  std::map<std::string, std::string> all{{"target", address}};
  for (const auto& [name, value] : in_template.entries()) all[name.scalar()] = filled(value.scalar(), address, labels);
  for (const model::Label label : labels)
    if (!is_own_label(label.name)) all[std::string(label.name)] = label.value;
  std::string out;
  for (const auto& [name, value] : all)
    out += (out.empty() ? "" : ", ") + config::quoted(name) + ": " + config::quoted(value);
  return "{" + out + "}";
}

}  // namespace

ProbeTemplate::ProbeTemplate(std::string service, const config::Service& settings, const config::Global& global,
                             Node probe, const std::string& path, Errors& errors)
    : service_(std::move(service)),
      unit_(settings.unit),
      healthy_probes_(settings.healthy_probes),
      global_(global),
      probe_(std::move(probe)) {
  if (!probe_.is_mapping())
    errors.add(probe_.mark(), path, "required: a probe without what the target says, such as {type: tcp}");
  if (!probe_.is_mapping()) return;
  Spec unused;
  parse_common(probe_, path, global_, errors, unused);
  const Node named = probe_.find("type");
  if (!named.is_null()) (void)read_type(probe_, path, errors);
  for (const auto& [key, value] : probe_.entries())
    if (named.is_null() && !is_common_key(key.scalar()))
      errors.add(key.mark(), path + "." + key.scalar(),
                 "needs a type; without one each target names a module by __param_module");
}

const Type* ProbeTemplate::type() const {
  const Node named = probe_.find("type");
  return named.is_null() ? nullptr : find_type(named.scalar());
}

base::Result<Spec> ProbeTemplate::spec(const std::string& address, const model::Labels& labels,
                                       const BlackboxModules& modules) const {
  const std::string module(labels.get("__param_module"));
  Draft draft;
  for (const auto& [key, value] : probe_.entries())
    if (module.empty() || is_common_key(key.scalar())) draft.set(key.scalar(), filled(value, address, labels));
  for (const auto& [label, key] : {std::pair{"__scrape_interval__", "interval"}, {"__scrape_timeout__", "timeout"}})
    if (labels.has(label)) draft.set(key, yaml_of(labels.get(label)));
  for (const model::Label label : labels)
    if (label.name.starts_with(kProbePrefix)) draft.set(label.name.substr(kProbePrefix.size()), yaml_of(label.value));
  draft.set("labels", labels_of(probe_.find("labels"), address, labels));

  const std::string origin = label_or(labels, "__meta_filepath", "target " + address);
  Errors errors;
  const Node first = draft.parse(origin, errors);
  const Type* type = module.empty() ? find_type(first.find("type").scalar()) : nullptr;
  if (module.empty() && !type)
    return base::fail(base::Kind::invalid, "target " + address + ": neither the template nor the label __probe_type " +
                                               "names a type that exists, and there is no __param_module");
  if (!labels.has("__probe_name")) {
    const std::string base = probe_.find("name").is_null() ? (type ? std::string(type->name) : module)
                                                           : filled(probe_.find("name").scalar(), address, labels);
    draft.set("name", config::quoted(base + "@" + address));
  }
  if (type) write_target(*type, address, labels, draft);
  if (!type) draft.erase("type");
  const Node whole = draft.parse(origin, errors);
  const std::string path = "target " + address;
  std::optional<Spec> made;
  if (type) {
    made = parse_probe(whole, path, service_, unit_, global_, errors);
  } else {
    Spec common;
    parse_common(whole, path, global_, errors, common);
    TRY(made, modules.spec(module, address, std::string(labels.get("__param_hostname")), common.timeout));
    common.type = made->type;
    common.settings = std::move(made->settings);
    common.settings_text = "module " + module + ": " + made->settings_text;
    common.name = whole.find("name").scalar();
    common.service = service_;
    made = std::move(common);
  }
  if (!errors.empty()) return base::fail(base::Kind::invalid, errors.text());
  made->healthy_probes = healthy_probes_;
  made->discovered = true;
  return *std::move(made);
}

}  // namespace probe
