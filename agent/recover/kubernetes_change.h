// Changes that a plan makes by the API server of Kubernetes, each followed until it is there. What the server answers
// decides: a conflict (409) is read again, a disruption budget (429) is waited for and never gone around, what is gone
// (404) is done. Loop thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "http/json_api.h"
#include "loop/handle.h"
#include "recover/action.h"

namespace recover {

enum class KubernetesVerb { cordon, uncordon, drain, evict, delete_pod, rollout_restart, scale };

// NAMESPACE/NAME of a pod, NAMESPACE/KIND/NAME of a workload. KIND is deployment, statefulset or daemonset.
struct KubernetesName {
  std::string space, kind, name;  // kind "": a pod
};
std::optional<KubernetesName> parse_pod_name(std::string_view text);
std::optional<KubernetesName> parse_workload_name(std::string_view text);

struct KubernetesSettings {
  KubernetesVerb verb = KubernetesVerb::cordon;
  std::string node;     // of cordon, uncordon and drain
  KubernetesName name;  // of the others
  std::uint64_t replicas = 0;
};

// Of a node that the agent has cordoned: who did it. An uncordon takes back what has it, and nothing else.
inline constexpr const char* kCordonedBy = "fettle/cordoned-by";

// `done` once, in a later turn, at the latest soon after the deadline. Dropping the Handle stops the asking: what the
// server was told goes on, and a node that was cordoned stays so. The references outlive it.
loop::Handle change_node(const Context& context, const http::JsonApi& api, const KubernetesSettings& settings,
                         const Trigger& trigger, std::string what, base::Instant deadline,
                         std::function<void(ActionResult)> done);
loop::Handle remove_pod(const Context& context, const http::JsonApi& api, const KubernetesSettings& settings,
                        const Trigger& trigger, std::string what, base::Instant deadline,
                        std::function<void(ActionResult)> done);
loop::Handle change_workload(const Context& context, const http::JsonApi& api, const KubernetesSettings& settings,
                             const Trigger& trigger, std::string what, base::Instant deadline,
                             std::function<void(ActionResult)> done);
// As Action::ask_stopped().
loop::Handle ask_workload_stopped(const Context& context, const http::JsonApi& api, const KubernetesName& name,
                                  base::Instant deadline, std::function<void(std::string)> done);

}  // namespace recover
