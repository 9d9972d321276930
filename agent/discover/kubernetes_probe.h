// The probe that a container has for the kubelet
// (https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/), as one of ours: its
// readinessProbe, or else its livenessProbe. Pure. Of discover/ only.
#pragma once

#include <optional>
#include <string>

#include "base/time.h"
#include "config/target_template.h"
#include "encoding/json_value.h"

namespace discover {

struct ContainerProbe {
  std::string address;  // HOST:PORT; of one that is not possible the pod's
  std::string headers;  // httpHeaders, as a mapping in YAML; "" for none
  config::DeclaredProbe probe{};
  base::WallTime from{};  // not before: initialDelaySeconds after the container's first start
};

// Nothing for a container without one, and for one that has not begun, or whose startupProbe has not succeeded, and
// that was not restarted: the kubelet asks neither. After a restart it goes on here, so that a container that crashes
// again and again is seen. `status` is that of the container, `ip` the pod's.
std::optional<ContainerProbe> probe_of_container(const encoding::json& container, const encoding::json& status,
                                                 const std::string& ip);

}  // namespace discover
