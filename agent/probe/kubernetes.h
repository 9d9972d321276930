// A probe that the configuration has in Kubernetes' words, as one of ours:
// {name: ready, httpGet: {path: /ready, port: 8081}, periodSeconds: 5}. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/node.h"
#include "config/schema.h"

namespace probe {

// Whether it has httpGet, tcpSocket, grpc or exec, and so no type.
bool is_kubernetes_probe(const config::Node& probe);

// The same probe in our keys, with the same place for mistakes; nothing if there are some.
std::optional<config::Node> from_kubernetes(const config::Node& probe, const std::string& path, config::Errors& errors);

// All keys that such a probe may have, for the reference.
const std::vector<config::KeyReference>& kubernetes_probe_reference();

}  // namespace probe
