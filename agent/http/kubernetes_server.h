// Where the API server of Kubernetes is and how it is asked: the keys that everything about Kubernetes has. Without
// api_server and kubeconfig_file the agent runs in a pod, and what the kubelet has put there says it
// (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/): KUBERNETES_SERVICE_HOST and _PORT, and of
// the pod's service account the token, which is read at each request, for it is replaced every hour, and ca.crt.
#pragma once

#include <string>
#include <string_view>

#include "config/schema.h"
#include "http/http_config.h"
#include "http/json_api.h"

namespace http {

struct KubernetesServer {
  std::string api_server, kubeconfig_file;
  HttpConfig http;
};

const config::Schema<KubernetesServer>& kubernetes_server_schema();
// `node` is where the keys stand; mistakes that only the TLS library finds go to `errors`.
JsonApi kubernetes_api(KubernetesServer kubernetes, const config::Node& node, const std::string& path,
                       config::Errors& errors);

// The node that the agent is on, as Kubernetes calls it: NODE_NAME of the environment, where the pod's manifest sets
// that from spec.nodeName; else the host's name, which it mostly is.
std::string own_kubernetes_node();
// What a manifest writes for it: $(NODE_NAME).
inline constexpr std::string_view kOwnNode = "$(NODE_NAME)";

// A name that may stand in a path as it is: small letters, digits, - and . as in RFC 1123, with a letter or digit at
// both ends.
bool is_kubernetes_name(std::string_view name);

}  // namespace http
