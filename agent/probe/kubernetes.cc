#include "probe/kubernetes.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "config/flow_text.h"
#include "config/kubernetes_probe.h"
#include "probe/registry.h"
#include "probe/target_draft.h"

namespace probe {
namespace {

using config::Node;

struct Entry {
  std::string name{};
  model::Labels labels{};
  config::KubernetesProbe probe{};
};

const config::Schema<Entry>& schema() {
  static const auto s =
      config::Schema<Entry>("probe")
          .optional("name", &Entry::name, "Name of the probe, unique in its service; the label `probe` of its metrics.")
          .fallback("the type's name")
          .optional("labels", &Entry::labels, "Labels for all metrics of this probe.")
          .inlined(&Entry::probe, config::kubernetes_probe_schema());
  return s;
}

TargetDraft own_keys(const Node& given, const config::KubernetesProbe& probe) {
  constexpr const char* kHost = "127.0.0.1";
  const config::DeclaredProbe declared = config::declared_probe(probe, kHost);
  TargetDraft draft;
  draft.set("type", declared.type);
  for (const char* key : {"name", "labels"})
    if (const Node value = given.find(key); !value.is_null()) draft.set(key, config::flow_text(value));
  for (const auto& [key, value] : declared.keys)
    draft.set(key, value.starts_with('[') ? value : plain_or_quoted(value));
  if (probe.initial_delay > 0) draft.set("startup_grace", std::to_string(probe.initial_delay) + "s");
  if (declared.any_certificate) draft.set("tls_config", "{insecure_skip_verify: true}");
  if (const std::string headers = config::kubernetes_headers(probe); !headers.empty()) draft.set("headers", headers);
  if (probe.exec) {
    std::string words;
    for (const std::string& word : probe.exec->command)
      words += (words.empty() ? "" : ", ") + config::quoted_text(word);
    draft.set("command", "[" + words + "]");
  } else if (!probe.http_get) {
    const Type* type = types().find(declared.type);
    for (const auto& [key, value] : type->keys_of_target(config::kubernetes_address(probe, kHost)))
      draft.set(key, key == "port" ? value : config::quoted_text(value));
  }
  return draft;
}

}  // namespace

bool is_kubernetes_probe(const Node& probe) {
  static constexpr std::array<std::string_view, 4> kHandlers{"httpGet", "tcpSocket", "grpc", "exec"};
  const auto entries = probe.entries();
  return std::any_of(entries.begin(), entries.end(), [](const auto& entry) {
    return std::find(kHandlers.begin(), kHandlers.end(), entry.first.scalar()) != kHandlers.end();
  });
}

std::optional<Node> from_kubernetes(const Node& probe, const std::string& path, config::Errors& errors) {
  const std::size_t before = errors.size();
  const Entry entry = schema().parse(probe, path, errors);
  if (errors.size() > before) return std::nullopt;
  // On the line where it stands in the file, so that mistakes which only the type finds are told there.
  const config::Mark at = probe.mark();
  Node own = own_keys(probe, entry.probe).parse(at.file, errors, std::max<std::size_t>(at.line, 1));
  if (errors.size() > before) return std::nullopt;
  return own;
}

const std::vector<config::KeyReference>& kubernetes_probe_reference() { return schema().reference(); }

}  // namespace probe
