#include "probe/discovered.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/secret.h"
#include "base/text.h"
#include "config/agent_config.h"
#include "config/flow_text.h"
#include "config/foreign.h"
#include "model/outcome.h"
#include "probe/common/probe_schema.h"
#include "probe/http/template.h"
#include "probe/registry.h"
#include "probe/target_draft.h"

namespace probe {
namespace {

using config::Errors;
using config::Node;
using config::Reach;
using config::ValueFormat;
using namespace std::chrono_literals;

constexpr std::string_view kProbePrefix = "__probe_";
constexpr std::string_view kParamModule = "__param_module";
constexpr std::string_view kModule = "module";  // what allow_labels calls it
// Of an interval that a label sets, unless the template's own lies outside.
constexpr base::Millis kShortest = 1s;
constexpr base::Millis kLongest = 1h;
constexpr std::size_t kLongestShown = 100;

// What the schema says of a key; null if there is no such key. Without a type only the common ones are known.
const config::KeyReference* find_key(const Type* type, std::string_view key) {
  const auto& keys = type ? type->reference() : common_schema().reference();
  const auto found =
      std::find_if(keys.begin(), keys.end(), [&](const config::KeyReference& known) { return known.key == key; });
  return found == keys.end() ? nullptr : &*found;
}

ValueFormat format_of(const Type* type, std::string_view key) {
  const config::KeyReference* known = find_key(type, key);
  return known ? known->format : ValueFormat::word;
}

// Names that a template gives values of its own: a journey's variables, and what stands behind $${ in it. No label
// takes their place.
void add_variables(const Node& node, std::set<std::string, std::less<>>& names) {
  const std::string& text = node.scalar();
  for (std::size_t at = text.find("$${"); at != std::string::npos; at = text.find("$${", at + 1))
    names.insert(text.substr(at + 3, text.find('}', at) - at - 3));
  for (const Node& item : node.items()) add_variables(item, names);
  for (const auto& [key, value] : node.entries()) {
    const bool defines = key.scalar() == "variables" || key.scalar() == "variable_files" || key.scalar() == "capture";
    if (defines)
      for (const auto& [name, unused] : value.entries()) names.insert(name.scalar());
    add_variables(value, names);
  }
}

// Shown only where it harms no terminal and no page.
std::string named(std::string_view label, std::string_view value) {
  if (!config::foreign_complaint(value, ValueFormat::text).empty()) return fmt::format("label {}", label);
  return fmt::format("label {}: '{}'", label, value.substr(0, kLongestShown));
}

// The keys that a bare target stands for; an address becomes a URL where the type wants one.
base::Result<> write_target(const Type& type, const std::string& address, const model::Labels& labels,
                            TargetDraft& draft) {
  if (!type.keys_of_target) return {};
  std::string target = address;
  const auto wanted = type.keys_of_target(target);
  if (!wanted.empty() && (wanted.front().first == "url" || wanted.front().first == "base_url") &&
      target.find("://") == std::string::npos) {
    const bool websocket = type.name == "websocket";
    const std::string scheme(labels.has("__scheme__") ? labels.get("__scheme__") : websocket ? "ws" : "http");
    if (websocket ? scheme != "ws" && scheme != "wss" : scheme != "http" && scheme != "https")
      return base::fail(base::Kind::invalid,
                        named("__scheme__", scheme) + " must be " + (websocket ? "ws or wss" : "http or https"));
    const std::string path(labels.get("__metrics_path__"));
    if (!path.empty()) {
      auto whole = config::filled_in("http://host/${path}", ValueFormat::url, [&](std::string_view) {
        return std::optional<std::string_view>(std::string_view(path).substr(1));
      });
      if (path.front() != '/') whole = base::fail(base::Kind::invalid, "must begin with /");
      if (path != "/" && !whole)
        return base::fail(base::Kind::invalid, named("__metrics_path__", path) + " is no path: " + whole.error().text);
    }
    target = scheme + "://" + target + path;
  }
  for (const auto& [key, value] : type.keys_of_target(target)) {
    if (draft.has(key) || value.empty()) continue;
    const config::KeyReference* known = find_key(&type, key);
    if (known == nullptr || known->reach == Reach::file)
      return base::fail(base::Kind::invalid,
                        fmt::format("its address would set {}, which only the template may; write {} there", key, key));
    if (const std::string why = config::foreign_complaint(value, known->format); !why.empty())
      return base::fail(base::Kind::invalid, fmt::format("its {} {}", key, why));
    draft.set(key, plain_or_quoted(value));
  }
  return {};
}

bool is_own_label(std::string_view name) { return name.starts_with("__"); }

// Everybody sees labels: a target may bring a password or a token with it, or what steers a terminal.
base::Result<model::Labels> labels_of(const Node& in_template, const std::string& address, const model::Labels& labels,
                                      const config::ValueOf& value_of) {
  std::map<std::string, std::string, std::less<>> all;
  for (const auto& [name, value] : in_template.entries()) {
    TRY(all[name.scalar()], config::filled_in(value.scalar(), ValueFormat::text, value_of));
  }
  for (const model::Label label : labels)
    if (!is_own_label(label.name)) all[std::string(label.name)] = label.value;
  all["target"] = address;
  std::vector<model::Label> views;
  for (auto& [name, value] : all) {
    value = base::foreign_lines(base::without_secrets(value), model::kLabelValueLimit);
    views.push_back({name, value});
  }
  return model::Labels(std::move(views));
}

// What a source knows of the probe of a target, where the template does not say otherwise.
base::Result<> write_declared(const Type& type, const config::DeclaredProbe& declared, TargetDraft& draft) {
  static constexpr std::string_view kTimes[] = {"interval", "timeout", "fast_interval"};
  const auto is_time = [](std::string_view key) {
    return std::find(std::begin(kTimes), std::end(kTimes), key) != std::end(kTimes);
  };
  const bool own_times =
      std::any_of(std::begin(kTimes), std::end(kTimes), [&](std::string_view key) { return draft.has(key); });
  draft.set("type", plain_or_quoted(type.name));
  if (declared.any_certificate) draft.set("tls_config", "{insecure_skip_verify: true}");
  for (const auto& [key, value] : declared.keys) {
    if (is_time(key) ? own_times : draft.has(key)) continue;
    const config::KeyReference* known = find_key(&type, key);
    if (known == nullptr || known->reach < Reach::listed)
      return base::fail(base::Kind::invalid, fmt::format("its own probe would set {}, which it may not", key));
    auto yaml = whole_value(value, known->format);
    if (!yaml)
      return base::fail(base::Kind::invalid,
                        fmt::format("its own probe: the {} '{}' {}", key, value, yaml.error().text));
    draft.set(key, *std::move(yaml));
  }
  return {};
}

// The key that an entry of allow_labels is about: `method` and `__probe_method` are the same.
std::string_view key_of(std::string_view entry) {
  if (entry == kParamModule) return kModule;
  if (entry.starts_with(kProbePrefix)) entry.remove_prefix(kProbePrefix.size());
  return entry;
}

}  // namespace

ProbeTemplate::ProbeTemplate(std::string service, const config::Service& settings, const config::Global& global,
                             const config::TargetTemplate& own, const std::string& path, Errors& errors)
    : service_(std::move(service)),
      unit_(settings.unit),
      healthy_probes_(settings.healthy_probes),
      global_(global),
      probe_(own.probe) {
  const std::string probe_path = path + ".probe";
  if (!probe_.is_mapping())
    errors.add(probe_.mark(), probe_path, "required: a probe without what the target says, such as {type: tcp}");
  if (!probe_.is_mapping()) return;
  interval_ = parse_common(probe_, probe_path, global_, errors).interval;
  add_variables(probe_, variables_);
  const Node named_type = probe_.find("type");
  if (!named_type.is_null()) (void)read_type(probe_, probe_path, errors);
  for (const auto& [key, value] : probe_.entries()) {
    if (named_type.is_null() && !is_common_key(key.scalar()))
      errors.add(key.mark(), probe_path + "." + key.scalar(),
                 "needs a type; without one each target names a module by __param_module");
    if (format_of(type(), key.scalar()) == ValueFormat::arguments && value.is_sequence() && !value.items().empty() &&
        value.items().front().scalar().find("${") != std::string::npos)
      errors.add(value.items().front().mark(), probe_path + "." + key.scalar() + "[0]",
                 "a target cannot name the program; write its path, and ${target} among its arguments");
  }
  for (const std::string& entry : own.allow_labels) {
    const std::string key(key_of(entry));
    if (key == kModule) {
      allowed_.insert(key);
      continue;
    }
    const config::KeyReference* known = find_allowed(key);
    if (known == nullptr)
      errors.add(own.place.find("allow_labels").mark(), path + ".allow_labels",
                 fmt::format("there is no key {} in a probe {}", key,
                             type() ? fmt::format("of type {}", type()->name) : "without a type"));
    else if (known->reach < Reach::listed)
      errors.add(own.place.find("allow_labels").mark(), path + ".allow_labels",
                 fmt::format("{} is never set by a label; write it in the probe, with ${{LABEL}} for the part that "
                             "differs",
                             key));
    else allowed_.insert(key);
  }
}

// Without a type of the template's own it may be of any: a source may know the type.
const config::KeyReference* ProbeTemplate::find_allowed(std::string_view key) const {
  const config::KeyReference* found = find_key(type(), key);
  if (type() != nullptr || found != nullptr) return found;
  for (const Type* each : types())
    if (found = find_key(each, key); found != nullptr) return found;
  return nullptr;
}

const Type* ProbeTemplate::type() const {
  const Node named_type = probe_.find("type");
  return named_type.is_null() ? nullptr : types().find(named_type.scalar());
}

base::Result<> ProbeTemplate::check_module(const std::string& module, const BlackboxModules& modules) const {
  const Type* own = type();
  if (own == nullptr && module.empty())
    return base::fail(base::Kind::invalid,
                      "the template names no type, and the target has no label __param_module; write a type there");
  const Type* wanted = module.empty() ? own : modules.type(module);
  if (wanted == nullptr) return base::fail(base::Kind::not_found, "Unknown module \"" + module + "\"");
  if (own == nullptr && wanted->name == "unix")
    return base::fail(base::Kind::invalid, named("__param_module", module) +
                                               " asks for a socket; write type: unix into the template, if those who "
                                               "write the targets may name sockets");
  if (own != nullptr && wanted != own)
    return base::fail(base::Kind::invalid,
                      fmt::format("{} is of type {}, the template of type {}; a label does not change the type: leave "
                                  "it out of the template, or list such targets in files of their own",
                                  named("__param_module", module), wanted->name, own->name));
  const std::string power = module.empty() ? "" : modules.own_power(module);
  if (!power.empty() && !allowed_.contains(kModule))
    return base::fail(
        base::Kind::invalid,
        fmt::format("{} names a module that sets {}, which only the template may; add allow_labels: "
                    "[module] beside probe, if those who write the targets may decide where that goes, or "
                    "name another module",
                    named("__param_module", module), power));
  return {};
}

base::Result<> ProbeTemplate::write_labels(const model::Labels& labels, const Type* type,
                                           const std::function<void(std::string_view, std::string)>& set) const {
  bool unknown = false;
  for (const model::Label label : labels) {
    std::string_view key;
    if (label.name.starts_with(kProbePrefix)) key = key_of(label.name);
    else if (label.name == "__scrape_interval__") key = "interval";
    else if (label.name == "__scrape_timeout__") key = "timeout";
    else continue;
    const config::KeyReference* known = find_key(type, key);
    if (known == nullptr && key.size() > kLongestShown)
      return base::fail(base::Kind::invalid, "a label that begins with __probe_ names no key of a probe");
    if (known == nullptr) {
      // The schema says of the first one what was meant; that is enough.
      if (!unknown) set(key, config::quoted_text(label.value.substr(0, kLongestShown)));
      unknown = true;
      continue;
    }
    if (known->reach < Reach::listed)
      return base::fail(base::Kind::invalid, fmt::format("label {} would set {}, which only the template may; write "
                                                         "{} there, or take the label away",
                                                         label.name, key, key));
    if (known->reach == Reach::listed && !allowed_.contains(key))
      return base::fail(base::Kind::invalid,
                        fmt::format("label {} would set {}; add allow_labels: [{}] beside probe, if those who write "
                                    "the targets may decide that, or take the label away",
                                    label.name, key, key));
    auto yaml = whole_value(label.value, known->format);
    if (!yaml) return base::fail(base::Kind::invalid, named(label.name, label.value) + " " + yaml.error().text);
    set(key, *std::move(yaml));
  }
  return {};
}

base::Result<Spec> ProbeTemplate::spec(const std::string& source, const std::string& address,
                                       const model::Labels& labels, const BlackboxModules& modules,
                                       const config::DeclaredProbe& declared) const {
  auto made = made_of(source, address, labels, modules, declared);
  if (made) return made;
  // Mistakes that a schema found have their place in front already, and are a line each; all else is one line.
  const std::string& text = made.error().text;
  const std::string why = text.ends_with('\n') ? text : base::foreign_text(text, std::string::npos);
  const std::string target = base::foreign_text("target " + base::without_secrets(address), std::string::npos);
  const std::string path = target + ": ";
  const bool placed = why.find(target) != std::string::npos;
  return base::fail(made.error().kind, placed ? why : (source.empty() ? path : source + ": " + path) + why);
}

base::Result<Spec> ProbeTemplate::made_of(const std::string& source, const std::string& address,
                                          const model::Labels& labels, const BlackboxModules& modules,
                                          const config::DeclaredProbe& declared) const {
  if (const std::string why = config::foreign_complaint(address, ValueFormat::text); !why.empty())
    return base::fail(base::Kind::invalid, "the address " + why);
  const std::string module(labels.get(kParamModule)), hostname(labels.get("__param_hostname"));
  if (const std::string why = hostname.empty() ? "" : config::foreign_complaint(hostname, ValueFormat::host);
      !why.empty())
    return base::fail(base::Kind::invalid, named("__param_hostname", hostname) + " " + why);
  if (module.empty() && !hostname.empty())
    return base::fail(
        base::Kind::invalid,
        named("__param_hostname", hostname) +
            " means something to a module only, and there is no label __param_module; add one, write the "
            "name into the template (headers: {Host: …}, tls_config: {server_name: …}), or take the label "
            "away");
  if (this->type() == nullptr && !declared.impossible.empty())
    return base::fail(base::Kind::invalid, declared.impossible);
  const Type* known = this->type() == nullptr && module.empty() ? types().find(declared.type) : nullptr;
  if (known == nullptr) TRY_VOID(check_module(module, modules));
  const Type* type = !module.empty() ? nullptr : known != nullptr ? known : this->type();
  std::string missing;  // a name in the template that the target has nothing for
  const config::ValueOf value_of = [&](std::string_view name) -> std::optional<std::string_view> {
    if (name == "target") return address;
    if (variables_.contains(name)) return std::nullopt;
    if (labels.has(name)) return labels.get(name);
    if (missing.empty() && is_variable_name(name)) missing = name;
    return std::nullopt;
  };
  const auto lacks = [&](std::string_view key) {
    return base::fail(base::Kind::invalid,
                      fmt::format("{} of the template has ${{{}}} in it, and the target has no label {}; add it to the "
                                  "target, or take it out of the template",
                                  key, missing, missing));
  };
  TargetDraft draft;
  for (const auto& [key, value] : probe_.entries()) {
    if ((!module.empty() && !is_common_key(key.scalar())) || key.scalar() == "labels") continue;
    auto yaml = filled(value, format_of(this->type(), key.scalar()), value_of);
    if (!yaml) return base::fail(base::Kind::invalid, key.scalar() + " of the template: " + yaml.error().text);
    if (!missing.empty()) return lacks(key.scalar());
    draft.set(key.scalar(), *std::move(yaml));
  }
  if (known != nullptr) TRY_VOID(write_declared(*known, declared, draft));
  TRY_VOID(
      write_labels(labels, type, [&](std::string_view key, std::string yaml) { draft.set(key, std::move(yaml)); }));
  TRY(model::Labels own_labels, labels_of(probe_.find("labels"), address, labels, value_of));
  if (!missing.empty()) return lacks("labels");
  if (!labels.has("__probe_name")) {
    const Node name = probe_.find("name");
    std::string kind = type ? std::string(type->name) : module;
    if (!name.is_null()) {
      TRY(kind, config::filled_in(name.scalar(), ValueFormat::text, value_of));
    }
    draft.set("name", config::quoted_text(kind + "@" + base::without_secrets(address)));
  }
  if (type) {
    TRY_VOID(write_target(*type, address, labels, draft));
  } else {
    TargetDraft unused;  // the module reads the address itself; what it may be is the same
    TRY_VOID(write_target(*modules.type(module), address, {}, unused));
  }
  if (!type) draft.erase("type");

  Errors errors;
  const std::string path = "target " + base::without_secrets(address);
  const Node whole = draft.parse(source.empty() ? path : source, errors);
  std::optional<Spec> made;
  if (type) {
    made = parse_probe(whole, path, service_, unit_, global_, errors);
  } else {
    for (const auto& [key, value] : whole.entries())
      if (!is_common_key(key.scalar()))
        errors.add(key.mark(), path + "." + key.scalar(), "is no key of a probe that a module makes");
    Spec common{parse_common(whole, path, global_, errors)};
    TRY(made, modules.spec(module, address, hostname, common.timeout));
    common.type = made->type;
    common.settings = std::move(made->settings);
    common.secrets = std::move(made->secrets);
    common.settings_text = "module " + module + ": " + made->settings_text;
    common.name = whole.find("name").scalar();
    common.service = service_;
    made = std::move(common);
  }
  if (!errors.empty()) return base::fail(base::Kind::invalid, errors.text());
  if (made->interval != interval_ &&
      (made->interval < std::min(kShortest, interval_) || made->interval > std::max(kLongest, interval_)))
    return base::fail(
        base::Kind::invalid,
        fmt::format("its interval of {} is not between {} and {}; the template may say another one",
                    base::format_duration(made->interval), base::format_duration(std::min(kShortest, interval_)),
                    base::format_duration(std::max(kLongest, interval_))));
  made->labels = std::move(own_labels);
  made->healthy_probes = healthy_probes_;
  made->discovered = true;
  return *std::move(made);
}

}  // namespace probe
