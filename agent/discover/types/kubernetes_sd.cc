// Targets that Kubernetes runs, as Prometheus' kubernetes_sd_configs finds them with role pod: a target for each port
// that a container of a pod declares, with the same __meta_kubernetes_ labels. Of the own node only, if no selector
// says otherwise. Pods that have ended or are told to end are left out: there is no relabelling that would drop them.
// Where the template has no type, a target for each container that has a probe of its own, which is then made.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "base/ascii.h"
#include "base/host_port.h"
#include "base/percent.h"
#include "config/redact.h"
#include "discover/kubernetes_probe.h"
#include "discover/kubernetes_selector.h"
#include "discover/list_watch.h"
#include "discover/meta_labels.h"
#include "discover/polled_list.h"
#include "discover/registry.h"
#include "discover/served_settings.h"
#include "encoding/escaped_name.h"
#include "http/kubernetes_server.h"
#include "loop/scheduler.h"

namespace discover {
namespace {

using encoding::json;
using encoding::member;
using encoding::number_of;
using encoding::text_of;

struct Selector {
  std::string role;
  std::string label;
  std::optional<std::string> field;
};

struct Namespaces {
  std::vector<std::string> names;
};

struct KubernetesSdSettings {
  http::KubernetesServer kubernetes;
  std::string role;
  Namespaces namespaces;
  std::vector<Selector> selectors;
  bool own_probes = false;  // those that the containers have
};

const config::Schema<Selector>& selector_schema() {
  static const auto schema =
      config::Schema<Selector>("selectors")
          .required("role", &Selector::role, "The role that it is for: pod.")
          .optional("label", &Selector::label, "Label selector, as in kubectl get pods -l.")
          .optional("field", &Selector::field,
                    "Field selector. One that says nothing of spec.nodeName is for pods of the agent's own node, which "
                    "$(NODE_NAME) stands for; empty: pods of all nodes.")
          .fallback("spec.nodeName=$(NODE_NAME)")
          .shows({"role", "label", "field"})
          .check([](const Selector& selector, const config::Complain& complain) {
            if (selector.role != "pod") complain("role", "must be pod: other roles are not known");
            if (const std::string why = label_selector_complaint(selector.label); !why.empty()) complain("label", why);
            if (const std::string why = field_selector_complaint(selector.field.value_or("")); !why.empty())
              complain("field", why);
          });
  return schema;
}

const config::Schema<Namespaces>& namespaces_schema() {
  static const auto schema = config::Schema<Namespaces>("namespaces")
                                 .optional("names", &Namespaces::names, "Names of namespaces.")
                                 .shows({"names"})
                                 .check([](const Namespaces& namespaces, const config::Complain& complain) {
                                   for (const std::string& name : namespaces.names)
                                     if (!http::is_kubernetes_name(name))
                                       complain("names", fmt::format("'{}' is no namespace", name));
                                 });
  return schema;
}

const config::Schema<KubernetesSdSettings>& schema() {
  static const auto schema = [] {
    using Sd = KubernetesSdSettings;
    auto keys = config::Schema<Sd>("kubernetes_sd_configs")
                    .required("role", &Sd::role, "What is listed: pod.")
                    .optional("namespaces", &Sd::namespaces, namespaces_schema(), "Only these namespaces.")
                    .list("selectors", &Sd::selectors, selector_schema(),
                          "Only pods that fit; one selector of role pod. Those of the agent's own node, unless its "
                          "field says otherwise: NODE_NAME of the environment, else the host's name.")
                    .inlined(&Sd::kubernetes, http::kubernetes_server_schema())
                    .beside(config::target_template_schema())
                    .check([](const Sd& sd, const config::Complain& complain) {
                      if (sd.role != "pod") complain("role", "must be pod: other roles are not known");
                      if (sd.selectors.size() > 1) complain("selectors", "has more than one of role pod");
                    });
    keys.shows({"role"});
    return keys;
  }();
  return schema;
}

// name=value&…, for the query.
std::string selectors_query(const std::vector<Selector>& selectors) {
  const std::string own_node = fmt::format("spec.nodeName={}", http::kOwnNode);
  std::string label, field = own_node;
  if (!selectors.empty()) {
    label = selectors.front().label;
    field = selectors.front().field.value_or(own_node);
    if (!field.empty() && !selects_field(field, "spec.nodeName")) field += "," + own_node;
  }
  if (const std::size_t at = field.find(http::kOwnNode); at != std::string::npos)
    field.replace(at, http::kOwnNode.size(), http::own_kubernetes_node());
  std::string out;
  if (!field.empty()) out = "fieldSelector=" + base::percent_encode(field);
  if (!label.empty()) out += (out.empty() ? "" : "&") + ("labelSelector=" + base::percent_encode(label));
  return out;
}

// One pod may not use up what all pods of the list have: the length of its annotations, and its targets.
constexpr std::size_t kMostDescribed = std::size_t{8} * 1024;
constexpr std::size_t kMostPorts = 100;

// Labels and annotations. Those that do not fit are left out, and so is the manifest that kubectl leaves in one.
void add_described(const json& described, const std::string& kind, LabelMap& labels) {
  if (!described.is_object()) return;
  std::size_t room = kMostDescribed;
  for (const auto& [name, value] : described.items()) {
    const std::size_t size = name.size() + text_of(value).size();
    if (name == "kubectl.kubernetes.io/last-applied-configuration" || size > room) continue;
    room -= size;
    const std::string word = encoding::as_label_name(name);
    labels["__meta_kubernetes_pod_" + kind + "_" + word] = text_of(value);
    labels["__meta_kubernetes_pod_" + kind + "present_" + word] = "true";
  }
}

// fettle/interval: what a target may say of its probe, as by a label __probe_interval (probe/discovered.h says what
// that is and refuses all else).
void add_probe_keys(const json& annotations, LabelMap& labels) {
  constexpr std::string_view kOurs = "fettle/";
  if (!annotations.is_object()) return;
  for (const auto& [name, value] : annotations.items())
    if (name.starts_with(kOurs))
      labels["__probe_" + encoding::as_label_name(name.substr(kOurs.size()))] = text_of(value);
}

std::string ready_of(const json& status) {
  for (const json& condition : member(status, "conditions"))
    if (text_of(member(condition, "type")) == "Ready") return base::lower_case(text_of(member(condition, "status")));
  return "unknown";
}

// What all targets of a pod have.
LabelMap labels_of(const json& pod) {
  const json &metadata = member(pod, "metadata"), &status = member(pod, "status");
  LabelMap labels{{"__meta_kubernetes_namespace", text_of(member(metadata, "namespace"))},
                  {"__meta_kubernetes_pod_name", text_of(member(metadata, "name"))},
                  {"__meta_kubernetes_pod_uid", text_of(member(metadata, "uid"))},
                  {"__meta_kubernetes_pod_ip", text_of(member(status, "podIP"))},
                  {"__meta_kubernetes_pod_host_ip", text_of(member(status, "hostIP"))},
                  {"__meta_kubernetes_pod_phase", text_of(member(status, "phase"))},
                  {"__meta_kubernetes_pod_ready", ready_of(status)},
                  {"__meta_kubernetes_pod_node_name", text_of(member(member(pod, "spec"), "nodeName"))}};
  add_described(member(metadata, "labels"), "label", labels);
  add_described(member(metadata, "annotations"), "annotation", labels);
  add_probe_keys(member(metadata, "annotations"), labels);
  for (const json& owner : member(metadata, "ownerReferences"))
    if (const json& controller = member(owner, "controller"); controller.is_boolean() && controller.get<bool>()) {
      labels["__meta_kubernetes_pod_controller_kind"] = text_of(member(owner, "kind"));
      labels["__meta_kubernetes_pod_controller_name"] = text_of(member(owner, "name"));
    }
  return labels;
}

// The container's own httpGet of this port, as the kubelet asks it: its path and scheme are what the target says of
// itself, where the template has no URL of its own.
void add_own_probe(const json& container, const json& port, LabelMap& labels) {
  for (const char* kind : {"readinessProbe", "livenessProbe"}) {
    const json& http = member(member(container, kind), "httpGet");
    const json& wanted = member(http, "port");
    if (!http.is_object() || wanted.is_null()) continue;
    if (wanted != member(port, "containerPort") && (!wanted.is_string() || wanted != member(port, "name"))) continue;
    // A path with a query is none that a target may say (probe/discovered.h).
    const std::string path = text_of(member(http, "path"));
    if (path.find_first_of("?#%") == std::string::npos) labels["__metrics_path__"] = path.empty() ? "/" : path;
    labels["__scheme__"] = text_of(member(http, "scheme")) == "HTTPS" ? "https" : "http";
    return;
  }
}

// One that the kubelet would not ask yet.
struct LaterTarget {
  Target target;
  base::WallTime from{};
};

class Pod {
 public:
  Pod(const json& pod, bool own_probes) : common_(labels_of(pod)), ip_(common_["__meta_kubernetes_pod_ip"]) {
    const std::string& phase = common_["__meta_kubernetes_pod_phase"];
    const bool over = phase == "Succeeded" || phase == "Failed" ||
                      !text_of(member(member(pod, "metadata"), "deletionTimestamp")).empty();
    if (ip_.empty() || over) return;
    const json &spec = member(pod, "spec"), &status = member(pod, "status");
    if (own_probes) {
      for (const json& container : member(spec, "containers")) add_own(container, member(status, "containerStatuses"));
      return;
    }
    for (const json& container : member(spec, "containers")) add(container, false, member(status, "containerStatuses"));
    for (const json& container : member(spec, "initContainers"))
      add(container, true, member(status, "initContainerStatuses"));
    if (!targets_.empty()) return;
    for (const json& container : member(spec, "containers")) {
      const LabelMap labels = labels_of_container(container, false, member(status, "containerStatuses"));
      targets_.push_back({{ip_, as_labels(labels)}});
      break;
    }
  }
  std::vector<LaterTarget> targets() && { return std::move(targets_); }

 private:
  static const json& status_of(const std::string& container, const json& statuses) {
    static const json none;
    for (const json& status : statuses)
      if (text_of(member(status, "name")) == container) return status;
    return none;
  }
  static void add_port(const json& port, std::uint64_t number, LabelMap& labels) {
    const std::string protocol = text_of(member(port, "protocol"));
    labels["__meta_kubernetes_pod_container_port_name"] = text_of(member(port, "name"));
    labels["__meta_kubernetes_pod_container_port_number"] = std::to_string(number);
    labels["__meta_kubernetes_pod_container_port_protocol"] = protocol.empty() ? "TCP" : protocol;
  }
  LabelMap labels_of_container(const json& container, bool init, const json& statuses) const {
    LabelMap labels = common_;
    const std::string name = text_of(member(container, "name"));
    labels["__meta_kubernetes_pod_container_name"] = name;
    labels["__meta_kubernetes_pod_container_image"] = text_of(member(container, "image"));
    labels["__meta_kubernetes_pod_container_init"] = init ? "true" : "false";
    labels["__meta_kubernetes_pod_container_id"] = text_of(member(status_of(name, statuses), "containerID"));
    return labels;
  }
  void add(const json& container, bool init, const json& statuses) {
    const LabelMap labels = labels_of_container(container, init, statuses);
    for (const json& port : member(container, "ports")) {
      const auto number = number_of(member(port, "containerPort"));
      if (!number || targets_.size() >= kMostPorts) continue;
      LabelMap of_port = labels;
      add_port(port, *number, of_port);
      add_own_probe(container, port, of_port);
      targets_.push_back({{base::host_and_port(ip_, *number), as_labels(of_port)}});
    }
  }
  void add_own(const json& container, const json& statuses) {
    if (targets_.size() >= kMostPorts) return;
    const json& status = status_of(text_of(member(container, "name")), statuses);
    auto own = probe_of_container(container, status, ip_);
    if (!own) return;
    LabelMap labels = labels_of_container(container, false, statuses);
    for (const json& port : member(container, "ports"))
      if (const auto number = number_of(member(port, "containerPort")))
        if (base::host_and_port(ip_, *number) == own->address) add_port(port, *number, labels);
    labels.try_emplace("__probe_headers", own->headers);  // as far as allow_labels goes
    targets_.push_back({{own->address, as_labels(labels), std::move(own->probe)}, own->from});
  }

  LabelMap common_;
  std::string ip_;
  std::vector<LaterTarget> targets_;
};

// NAMESPACE/NAME.
std::string key_of(const json& object) {
  const json& metadata = member(object, "metadata");
  return text_of(member(metadata, "namespace")) + "/" + text_of(member(metadata, "name"));
}

// The pods of one namespace, or of all.
class Pods {
 public:
  Pods(const http::JsonApi& api, const std::string& path, const std::string& selectors, bool own_probes,
       const Context& context, std::function<void()> changed)
      : own_probes_(own_probes),
        scheduler_(context.scheduler),
        changed_(std::move(changed)),
        list_{api.name() + path},
        watch_(context.http, context.scheduler, api, path, selectors,
               {[this](const std::vector<json>& pods) { listed(pods); },
                [this](const std::vector<ListWatch::Event>& events) { heard(events); },
                [this](const std::string& why) { keep(why); }}) {}

  const TargetList& list() const { return list_; }
  void refresh() { watch_.ask_anew(); }

 private:
  void listed(const std::vector<json>& pods) {
    pods_.clear();
    for (const json& pod : pods) pods_[key_of(pod)] = Pod(pod, own_probes_).targets();
    take();
  }
  void heard(const std::vector<ListWatch::Event>& events) {
    for (const auto& [gone, pod] : events) {
      if (gone) pods_.erase(key_of(pod));
      else pods_[key_of(pod)] = Pod(pod, own_probes_).targets();
    }
    take();
  }
  void take() {
    const base::WallTime now = scheduler_.wall_now();
    std::optional<base::WallTime> next;
    std::vector<Target> all;
    for (const auto& [key, targets] : pods_)
      for (const LaterTarget& each : targets) {
        if (each.from <= now) all.push_back(each.target);
        else next = std::min(next.value_or(each.from), each.from);
      }
    later_.reset();
    if (next) later_ = scheduler_.after(*next - now, [this] { take(); });
    if (const std::string why = too_many(all); !why.empty()) return keep(why);
    if (list_.take(std::move(all), scheduler_.wall_now())) changed_();
  }
  void keep(const std::string& why) {
    if (list_.keep(list_.name + ": " + why, scheduler_.wall_now())) changed_();
  }

  bool own_probes_;
  loop::Scheduler& scheduler_;
  std::function<void()> changed_;
  TargetList list_;
  std::map<std::string, std::vector<LaterTarget>> pods_;  // by key
  loop::Handle later_;
  ListWatch watch_;
};

class KubernetesSd final : public Source {
 public:
  KubernetesSd(const KubernetesSdSettings& settings, http::JsonApi api, const Context& context,
               const std::function<void()>& changed)
      : api_(std::move(api)) {
    std::vector<std::string> paths;
    for (const std::string& name : settings.namespaces.names) paths.push_back("/api/v1/namespaces/" + name + "/pods");
    if (paths.empty()) paths.emplace_back("/api/v1/pods");
    const std::string selectors = selectors_query(settings.selectors);
    for (const std::string& path : paths)
      pods_.push_back(std::make_unique<Pods>(api_, path, selectors, settings.own_probes, context, changed));
  }

  std::vector<const TargetList*> lists() const override {
    std::vector<const TargetList*> all;
    for (const auto& pods : pods_) all.push_back(&pods->list());
    return all;
  }
  void refresh() override {
    for (const auto& pods : pods_) pods->refresh();
  }

 private:
  http::JsonApi api_;
  std::vector<std::unique_ptr<Pods>> pods_;
};

std::unique_ptr<const Settings> parse(const config::Node& entry, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  KubernetesSdSettings settings = schema().parse(entry, path, errors);
  const config::Node probe = entry.find("probe");
  settings.own_probes = probe.is_mapping() && probe.find("type").is_null();
  http::JsonApi api = http::kubernetes_api(settings.kubernetes, entry, path, errors);
  return std::make_unique<ServedSettings<KubernetesSd, KubernetesSdSettings, http::JsonApi>>(std::move(settings),
                                                                                             std::move(api));
}

}  // namespace

const Type kubernetes_sd_source{
    .key = "kubernetes_sd_configs",
    .summary =
        "More probes, one for each port of the pods of the own node, as in Prometheus; those that the pods declare "
        "for the kubelet, where the template has no type.",
    .example = R"(kubernetes_sd_configs:
  - role: pod
    namespaces: {names: [shop]}
    selectors: [{role: pod, label: "fettle.probe=http"}]
    probe: {type: http, labels: {pod: "${__meta_kubernetes_pod_name}"}}
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
};

}  // namespace discover
