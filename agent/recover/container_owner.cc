#include "recover/container_owner.h"

#include <fmt/format.h>

#include "encoding/json_value.h"

namespace recover {
namespace {

struct Owner {
  const char* label;  // that it puts on each of its containers
  const char* named;  // the label with the name of what the container is a part of; null: `label`
  const char* text;   // {} is that name
};

constexpr Owner kOwners[] = {
    {"com.docker.swarm.task.id", "com.docker.swarm.service.name",
     "it is a task of Swarm service {0}, which starts another one in its place; update the service: "
     "{{swarm: {{update: {0}, force: true}}}}"},
    {"io.kubernetes.pod.uid", "io.kubernetes.pod.name",
     "it belongs to pod {0} of Kubernetes, whose kubelet restarts it; evict the pod, or restart its workload: "
     "{{kubernetes: {{rollout_restart: …}}}}"},
    {"com.hashicorp.nomad.alloc_id", nullptr,
     "it belongs to allocation {0} of Nomad, which restarts it; nomad alloc restart {0}"},
    {"com.amazonaws.ecs.task-arn", nullptr,
     "it belongs to task {0} of Amazon ECS, which replaces it; force a new deployment of its service"},
    {"PODMAN_SYSTEMD_UNIT", nullptr,
     "it belongs to unit {0} of systemd; restart the unit: {{systemd: {{verb: restart, unit: {0}}}}}"},
};

}  // namespace

std::optional<std::string> container_owner(std::string_view inspected) {
  const encoding::json document = encoding::read_json(inspected);
  const encoding::json& config = encoding::member(document, "Config");
  if (!config.is_object()) return std::nullopt;
  const encoding::json& labels = encoding::member(config, "Labels");
  for (const Owner& owner : kOwners) {
    const std::string mark = encoding::text_of(encoding::member(labels, owner.label));
    if (mark.empty()) continue;
    const std::string name = owner.named == nullptr ? "" : encoding::text_of(encoding::member(labels, owner.named));
    return fmt::format(fmt::runtime(owner.text), name.empty() ? mark : name);
  }
  return "";
}

}  // namespace recover
