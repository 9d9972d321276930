#include "http/kubernetes_server.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "config/redact.h"
#include "config/request.h"
#include "config/variables.h"
#include "http/kubeconfig.h"

namespace http {
namespace {

constexpr const char* kToken = "/var/run/secrets/kubernetes.io/serviceaccount/token";
constexpr const char* kAuthority = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

// Where the variables are not, the cluster's own DNS may still say it.
std::string server_of_pod() {
  const std::string host = config::from_environment("KUBERNETES_SERVICE_HOST").value_or("");
  const std::string port = config::from_environment("KUBERNETES_SERVICE_PORT").value_or("443");
  if (host.empty()) return "https://kubernetes.default.svc";
  const bool v6 = host.find(':') != std::string::npos;
  const std::string url = fmt::format("https://{}:{}", v6 ? "[" + host + "]" : host, port);
  return config::url_complaint(url, "").empty() ? url : "https://kubernetes.default.svc";
}

// As for Prometheus, the file has no key beside it.
JsonApi api_of_file(const std::string& file, const config::Node& node, const std::string& path,
                    config::Errors& errors) {
  const config::Node place = node.find("kubeconfig_file");
  const std::string where = path + ".kubeconfig_file";
  const auto refuse = [&](const std::string& key) {
    if (const config::Node beside = node.find(key); !beside.is_null())
      errors.add(beside.mark(), path + "." + key, "cannot stand beside kubeconfig_file, which says that");
  };
  refuse("api_server");
  for (const config::KeyReference& key : http_config_schema().reference()) refuse(key.key);
  auto kubeconfig = std::make_shared<KubeconfigFile>(file, place, where, errors);
  return JsonApi([kubeconfig]() -> const ApiServer& { return kubeconfig->server(); });
}

}  // namespace

const config::Schema<KubernetesServer>& kubernetes_server_schema() {
  static const auto schema = [] {
    auto keys = config::Schema<KubernetesServer>("kubernetes_server")
                    .optional("api_server", &KubernetesServer::api_server,
                              "URL of the API server. Without it and kubeconfig_file the agent runs in a pod of the "
                              "cluster, and takes the server, the token and the authority from there.")
                    .fallback("none")
                    .optional("kubeconfig_file", &KubernetesServer::kubeconfig_file,
                              "kubeconfig file, of whose current-context the server and the user are taken. Read again "
                              "when it changes. Stands alone: all that says how the server is asked is in the file.")
                    .fallback("none")
                    .inlined(&KubernetesServer::http, http_config_schema())
                    .check([](const KubernetesServer& kubernetes, const config::Complain& complain) {
                      if (kubernetes.api_server.empty()) return;
                      if (const std::string why = config::url_complaint(kubernetes.api_server, "https://10.0.0.7:6443");
                          !why.empty())
                        complain("api_server", why);
                    });
    keys.shows({"api_server", "kubeconfig_file"});
    return keys;
  }();
  return schema;
}

JsonApi kubernetes_api(KubernetesServer kubernetes, const config::Node& node, const std::string& path,
                       config::Errors& errors) {
  if (!kubernetes.kubeconfig_file.empty()) return api_of_file(kubernetes.kubeconfig_file, node, path, errors);
  HttpConfig& http = kubernetes.http;
  std::string url = kubernetes.api_server;
  if (url.empty()) {
    url = server_of_pod();
    if (!http.authorization && !http.basic_auth && !http.oauth2)
      http.authorization = Authorization{.type = "Bearer", .credentials = {}, .credentials_file = kToken};
    if (http.tls_config.ca.empty() && http.tls_config.ca_file.empty()) http.tls_config.ca_file = kAuthority;
  }
  while (url.ends_with('/')) url.pop_back();
  ConfiguredClient client(std::move(http), node, path, errors);
  return JsonApi({std::move(url), ""}, std::move(client), config::secrets_of(node));
}

std::string own_kubernetes_node() {
  if (const auto name = config::from_environment("NODE_NAME"); name && !name->empty()) return *name;
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

bool is_kubernetes_name(std::string_view name) {
  constexpr std::size_t kLongest = 253;
  const auto is_end = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= kLongest && is_end(name.front()) && is_end(name.back()) &&
         name.find("..") == std::string_view::npos &&
         std::all_of(name.begin(), name.end(), [&](char c) { return is_end(c) || c == '-' || c == '.'; });
}

}  // namespace http
