#include "recover/kubernetes_evictions.h"

#include <fmt/format.h>

#include "base/text.h"
#include "http/kubernetes_server.h"

namespace recover {

using encoding::json;
using encoding::member;
using encoding::text_of;

std::optional<KubernetesPod> read_pod(const json& pod) {
  const json& metadata = member(pod, "metadata");
  const std::string space = text_of(member(metadata, "namespace")), name = text_of(member(metadata, "name"));
  if (!http::is_kubernetes_name(space) || !http::is_kubernetes_name(name)) return std::nullopt;
  KubernetesPod out{.key = space + "/" + name, .uid = text_of(member(metadata, "uid"))};
  out.ends = !text_of(member(metadata, "deletionTimestamp")).empty();
  const std::string phase = text_of(member(member(pod, "status"), "phase"));
  out.over = phase == "Succeeded" || phase == "Failed";
  out.of_node = !member(member(metadata, "annotations"), "kubernetes.io/config.mirror").is_null();
  for (const json& owner : member(metadata, "ownerReferences"))
    if (const json& controller = member(owner, "controller"); controller.is_boolean() && controller.get<bool>()) {
      out.is_owned = true;
      out.of_node = out.of_node || text_of(member(owner, "kind")) == "DaemonSet";
    }
  return out;
}

std::string pod_path(std::string_view key) {
  const std::size_t slash = key.find('/');
  return fmt::format("/api/v1/namespaces/{}/pods/{}", key.substr(0, slash), key.substr(slash + 1));
}

std::string eviction_version(const json& resources) {
  for (const json& resource : member(resources, "resources"))
    if (text_of(member(resource, "name")) == "pods/eviction" && text_of(member(resource, "group")) == "policy")
      return "policy/" + text_of(member(resource, "version"));
  return "policy/v1";
}

std::string eviction_of(const KubernetesPod& pod, const std::string& version) {
  const std::size_t slash = pod.key.find('/');
  json body{{"apiVersion", version},
            {"kind", "Eviction"},
            {"metadata", {{"namespace", pod.key.substr(0, slash)}, {"name", pod.key.substr(slash + 1)}}}};
  if (!pod.uid.empty()) body["deleteOptions"]["preconditions"]["uid"] = pod.uid;
  return body.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string budget_of(const http::HttpResponse& response) {
  const json status = encoding::read_json(response.body);
  for (const json& cause : member(member(status, "details"), "causes"))
    if (text_of(member(cause, "reason")) == "DisruptionBudget")
      return base::foreign_text(text_of(member(cause, "message")), 200);
  return "";
}

}  // namespace recover
