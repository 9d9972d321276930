// Changes by the API server of Kubernetes: of a node, of a pod, of a workload.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "config/schema.h"
#include "http/kubernetes_server.h"
#include "recover/action.h"
#include "recover/kubernetes_change.h"

namespace recover {
namespace {

struct Keys {
  std::string cordon, uncordon, drain, evict, delete_pod, rollout_restart, scale;
  std::int64_t replicas = -1;
  http::KubernetesServer server;
};

struct Verb {
  const char* key;
  KubernetesVerb verb;
  std::string Keys::*value;
};
constexpr std::array kVerbs{
    Verb{"cordon", KubernetesVerb::cordon, &Keys::cordon},
    Verb{"uncordon", KubernetesVerb::uncordon, &Keys::uncordon},
    Verb{"drain", KubernetesVerb::drain, &Keys::drain},
    Verb{"evict", KubernetesVerb::evict, &Keys::evict},
    Verb{"delete_pod", KubernetesVerb::delete_pod, &Keys::delete_pod},
    Verb{"rollout_restart", KubernetesVerb::rollout_restart, &Keys::rollout_restart},
    Verb{"scale", KubernetesVerb::scale, &Keys::scale},
};

bool is_of_node(KubernetesVerb verb) {
  return verb == KubernetesVerb::cordon || verb == KubernetesVerb::uncordon || verb == KubernetesVerb::drain;
}
bool is_of_workload(KubernetesVerb verb) {
  return verb == KubernetesVerb::rollout_restart || verb == KubernetesVerb::scale;
}

// Why the value names nothing; "" if it does.
std::string complaint_about(KubernetesVerb verb, const std::string& value) {
  if (is_of_node(verb))
    return value == http::kOwnNode || http::is_kubernetes_name(value)
               ? ""
               : fmt::format("'{}' is no name of a node; {} is the own one", value, http::kOwnNode);
  if (!is_of_workload(verb))
    return parse_pod_name(value) ? "" : fmt::format("'{}' is no pod, such as shop/order-0", value);
  const auto name = parse_workload_name(value);
  if (!name)
    return fmt::format("'{}' is no workload, such as shop/deployment/order; also statefulset and daemonset", value);
  return verb == KubernetesVerb::scale && name->kind == "daemonset" ? "a daemonset has a pod on each node" : "";
}

const auto& schema() {
  static const auto s =
      config::Schema<Keys>("kubernetes")
          .optional("cordon", &Keys::cordon, "Node that gets no new pods; $(NODE_NAME) is the agent's own.")
          .optional("uncordon", &Keys::uncordon, "Node that gets pods again, if a plan of this service cordoned it.")
          .optional("drain", &Keys::drain,
                    "Node that is cordoned, and whose pods are evicted, but those of DaemonSets and of the kubelet's "
                    "files. Disruption budgets are waited for.")
          .optional("evict", &Keys::evict, "Pod that is to go, as its disruption budget allows: shop/order-0.")
          .optional("delete_pod", &Keys::delete_pod, "Pod that is deleted, whatever its disruption budget says.")
          .optional("rollout_restart", &Keys::rollout_restart,
                    "Workload whose pods are replaced, as kubectl rollout restart does: shop/deployment/order.")
          .optional("scale", &Keys::scale, "Workload that gets another number of pods; needs replicas.")
          .optional("replicas", &Keys::replicas, "Pods that scale asks for.")
          .fallback("none")
          .inlined(&Keys::server, http::kubernetes_server_schema())
          .shows({"cordon", "uncordon", "drain", "evict", "delete_pod", "rollout_restart", "scale"})
          .check([](const Keys& k, const config::Complain& complain) {
            const auto named = std::count_if(kVerbs.begin(), kVerbs.end(),
                                             [&k](const Verb& verb) { return !(k.*verb.value).empty(); });
            if (named != 1)
              return complain("",
                              "must have one of cordon, uncordon, drain, evict, delete_pod, rollout_restart and scale");
            for (const Verb& verb : kVerbs)
              if (const std::string& value = k.*verb.value; !value.empty())
                if (const std::string why = complaint_about(verb.verb, value); !why.empty()) complain(verb.key, why);
            if (k.scale.empty() != (k.replicas < 0))
              complain(k.scale.empty() ? "replicas" : "scale",
                       k.scale.empty() ? "stands beside scale only, and is not negative" : "needs replicas, 0 or more");
          });
  return s;
}

class Kubernetes final : public Action {
 public:
  Kubernetes(KubernetesSettings settings, std::string word, std::string what, http::JsonApi api)
      : settings_(std::move(settings)), word_(std::move(word)), what_(std::move(what)), api_(std::move(api)) {}

  loop::Handle run(const Context& context, const Trigger& trigger, base::Instant deadline,
                   std::function<void(ActionResult)> done) const override {
    if (is_of_node(settings_.verb))
      return change_node(context, api_, settings_, trigger, text(), deadline, std::move(done));
    if (is_of_workload(settings_.verb))
      return change_workload(context, api_, settings_, trigger, text(), deadline, std::move(done));
    return remove_pod(context, api_, settings_, trigger, text(), deadline, std::move(done));
  }
  std::string text() const override {
    const std::string before = "kubernetes " + word_ + " " + what_;
    return settings_.verb == KubernetesVerb::scale ? fmt::format("{} to {}", before, settings_.replicas) : before;
  }
  bool may_heal() const override { return !only_schedules(); }
  // A run that is stopped leaves no node cordoned.
  bool moves_traffic() const override { return settings_.verb == KubernetesVerb::uncordon; }
  bool disrupts() const override { return !only_schedules(); }
  std::string target() const override {
    const char* kind = is_of_node(settings_.verb) ? "node" : is_of_workload(settings_.verb) ? "workload" : "pod";
    return fmt::format("kubernetes {} {}", kind, what_);
  }
  bool knows_stops() const override { return is_of_workload(settings_.verb) && settings_.name.kind != "daemonset"; }
  loop::Handle ask_stopped(const Context& context, std::optional<base::WallTime>, base::Instant deadline,
                           std::function<void(std::string)> done) const override {
    return ask_workload_stopped(context, api_, settings_.name, deadline, std::move(done));
  }
  bool leaves_stopped() const override { return settings_.verb == KubernetesVerb::scale && settings_.replicas == 0; }

 private:
  // No pod that runs is touched.
  bool only_schedules() const {
    return settings_.verb == KubernetesVerb::cordon || settings_.verb == KubernetesVerb::uncordon;
  }

  KubernetesSettings settings_;
  std::string word_, what_;
  http::JsonApi api_;
};

std::unique_ptr<const Action> parse(const config::Node& node, const std::string& path, const ActionOwner&,
                                    config::Errors& errors) {
  const std::size_t before = errors.size();
  Keys keys = schema().parse(node, path, errors);
  http::JsonApi api = http::kubernetes_api(std::move(keys.server), node, path, errors);
  if (errors.size() > before) return nullptr;
  const auto* const verb =
      std::find_if(kVerbs.begin(), kVerbs.end(), [&keys](const Verb& each) { return !(keys.*each.value).empty(); });
  std::string what = keys.*verb->value;
  if (what == http::kOwnNode) what = http::own_kubernetes_node();
  KubernetesSettings settings;
  settings.verb = verb->verb;
  if (is_of_node(verb->verb)) settings.node = what;
  else settings.name = *(is_of_workload(verb->verb) ? parse_workload_name(what) : parse_pod_name(what));
  settings.replicas = static_cast<std::uint64_t>(std::max<std::int64_t>(keys.replicas, 0));
  return std::make_unique<Kubernetes>(std::move(settings), verb->key, std::move(what), std::move(api));
}

}  // namespace

extern const ActionType kubernetes_type;
const ActionType kubernetes_type{
    "kubernetes",
    "Cordons, uncordons or drains a node of Kubernetes, evicts or deletes a pod, restarts or scales a workload, and "
    "follows that until it is so.",
    "{kubernetes: {rollout_restart: shop/deployment/order}}", parse,
    []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace recover
