// The probe of a container in Kubernetes' own words
// (https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/), and which of ours it is.
// Pure.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/schema.h"
#include "config/target_template.h"

namespace config {

// A number: outside of a pod no container says which port a name is.
struct ContainerPort {
  int number = 0;
};
bool read(const Node& node, ContainerPort& out, std::string& why);
std::string show(ContainerPort port);

struct KubernetesProbe {
  struct HttpGet {
    std::string host{}, path{"/"}, scheme{"HTTP"};
    ContainerPort port{};
    std::vector<std::pair<std::string, std::string>> headers{};  // httpHeaders
  };
  struct TcpSocket {
    std::string host{};
    ContainerPort port{};
  };
  struct Grpc {
    ContainerPort port{};
    std::string service{};
  };
  struct Exec {
    std::vector<std::string> command{};
  };
  // One of them.
  std::optional<HttpGet> http_get{};
  std::optional<TcpSocket> tcp_socket{};
  std::optional<Grpc> grpc{};
  std::optional<Exec> exec{};
  // In seconds and in runs.
  int initial_delay = 0, period = 10, timeout = 1, failure_threshold = 3, success_threshold = 1;
};

// As it stands in a file.
const Schema<KubernetesProbe>& kubernetes_probe_schema();

// `host`: where it is asked unless it names a host itself. Not of exec, and without the headers.
std::string kubernetes_address(const KubernetesProbe& probe, const std::string& host);
DeclaredProbe declared_probe(const KubernetesProbe& probe, const std::string& host);
// httpHeaders as a mapping in YAML, those of one name in one; "" for none.
std::string kubernetes_headers(const KubernetesProbe& probe);

}  // namespace config
