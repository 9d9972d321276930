// How a pod is asked to go, and what is said when it may not. Pure, of recover/ only.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "encoding/json_value.h"
#include "http/http_client.h"

namespace recover {

struct KubernetesPod {
  std::string key;  // NAMESPACE/NAME
  std::string uid;
  bool ends = false;      // it was told to
  bool over = false;      // it has ended
  bool of_node = false;   // of a DaemonSet, or of a file of the kubelet: the node has it again at once
  bool is_owned = false;  // something starts another one
};

// Nothing for what is no pod.
std::optional<KubernetesPod> read_pod(const encoding::json& pod);
// The path of a pod, for a NAMESPACE/NAME that read_pod() or the configuration gave.
std::string pod_path(std::string_view key);
// Of GET /api/v1: the version of Eviction that this server takes, such as policy/v1.
std::string eviction_version(const encoding::json& resources);
// The body of POST pods/NAME/eviction: this very pod, not another one of its name.
std::string eviction_of(const KubernetesPod& pod, const std::string& version);
// Of an eviction with 429: the words of the disruption budget; "" if something else was too much for the server.
std::string budget_of(const http::HttpResponse& response);

}  // namespace recover
