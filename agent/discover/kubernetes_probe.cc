#include "discover/kubernetes_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "config/kubernetes_probe.h"

namespace discover {
namespace {

using encoding::json;
using encoding::member;
using encoding::number_of;
using encoding::text_of;

constexpr std::uint64_t kLongest = 3600;  // seconds of anything
constexpr std::uint64_t kMostInARow = 1000;

// With Kubernetes' default for what is not there, or is no such number.
std::uint64_t positive(const json& probe, const char* key, std::uint64_t otherwise, std::uint64_t most) {
  const std::uint64_t number = number_of(member(probe, key)).value_or(0);
  return number == 0 ? otherwise : std::min(number, most);
}

// "2026-11-29T00:00:00Z"
std::optional<base::WallTime> time_of(const std::string& text) {
  std::tm parts{};
  const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return base::wall_from_ms(std::int64_t{::timegm(&parts)} * 1000);
}

// A number, or the name of one of the container's ports; as for the kubelet a name may also be digits.
std::optional<std::uint64_t> port_of(const json& wanted, const json& container) {
  const std::string name = wanted.is_string() ? text_of(wanted) : "";
  std::optional<std::uint64_t> port = number_of(wanted);
  if (!name.empty())
    for (const json& each : member(container, "ports"))
      if (text_of(member(each, "name")) == name) port = number_of(member(each, "containerPort"));
  return port && *port >= 1 && *port <= 65535 ? port : std::nullopt;
}

// How often it is asked and what counts.
void read_numbers(const json& probe, config::KubernetesProbe& out) {
  const auto number = [&](const char* key, int otherwise, std::uint64_t most) {
    return static_cast<int>(positive(probe, key, static_cast<std::uint64_t>(otherwise), most));
  };
  out.period = number("periodSeconds", out.period, kLongest);
  out.timeout = number("timeoutSeconds", out.timeout, kLongest);
  out.failure_threshold = number("failureThreshold", out.failure_threshold, kMostInARow);
  out.success_threshold = number("successThreshold", out.success_threshold, kMostInARow);
}

config::KubernetesProbe::HttpGet http_get_of(const json& http, config::ContainerPort port) {
  config::KubernetesProbe::HttpGet out{.host = text_of(member(http, "host")),
                                       .path = text_of(member(http, "path")),
                                       .scheme = text_of(member(http, "scheme")),
                                       .port = port};
  for (const json& header : member(http, "httpHeaders"))
    out.headers.emplace_back(text_of(member(header, "name")), text_of(member(header, "value")));
  return out;
}

ContainerProbe impossible(const std::string& ip, std::string why) {
  ContainerProbe out{.address = ip, .headers = ""};
  out.probe.impossible = std::move(why);
  return out;
}

// `what` is "the readinessProbe of container app".
ContainerProbe made_of(const json& probe, const json& container, const std::string& ip, const std::string& what) {
  const json &http = member(probe, "httpGet"), &tcp = member(probe, "tcpSocket"), &grpc = member(probe, "grpc");
  if (member(probe, "exec").is_object())
    return impossible(ip, what +
                              " is exec: it runs a program inside the container, which the kubelet alone can; select "
                              "other pods, or give the container an httpGet, tcpSocket or grpc");
  const json& handler = http.is_object() ? http : tcp.is_object() ? tcp : grpc;
  if (!handler.is_object()) return impossible(ip, what + " is none of httpGet, tcpSocket and grpc");
  const auto port = port_of(member(handler, "port"), container);
  if (!port) {
    const json& wanted = member(handler, "port");
    return impossible(ip, fmt::format("{} has the port '{}', which is no port of the container", what,
                                      wanted.is_string() ? text_of(wanted) : wanted.dump()));
  }
  config::KubernetesProbe whole;
  read_numbers(probe, whole);
  const config::ContainerPort number{static_cast<int>(*port)};
  if (http.is_object()) whole.http_get = http_get_of(http, number);
  else if (tcp.is_object()) whole.tcp_socket = {.host = text_of(member(tcp, "host")), .port = number};
  else whole.grpc = {.port = number, .service = text_of(member(grpc, "service"))};
  return {.address = config::kubernetes_address(whole, ip),
          .headers = config::kubernetes_headers(whole),
          .probe = config::declared_probe(whole, ip)};
}

}  // namespace

std::optional<ContainerProbe> probe_of_container(const json& container, const json& status, const std::string& ip) {
  std::optional<ContainerProbe> found;
  const json* chosen = nullptr;
  for (const char* kind : {"readinessProbe", "livenessProbe"}) {
    const json& probe = member(container, kind);
    if (!probe.is_object() || (found && found->probe.impossible.empty())) continue;
    ContainerProbe made =
        made_of(probe, container, ip, fmt::format("the {} of container {}", kind, text_of(member(container, "name"))));
    if (found && !made.probe.impossible.empty()) continue;
    found = std::move(made);
    chosen = &probe;
  }
  const bool restarted = number_of(member(status, "restartCount")).value_or(0) > 0;
  if (!found || restarted || !status.is_object()) return found;
  const json& running = member(member(status, "state"), "running");
  if (!running.is_object()) return std::nullopt;
  if (const json& started = member(status, "started");
      member(container, "startupProbe").is_object() && !(started.is_boolean() && started.get<bool>()))
    return std::nullopt;
  if (const auto since = time_of(text_of(member(running, "startedAt"))))
    found->from = *since + std::chrono::seconds(positive(*chosen, "initialDelaySeconds", 0, kLongest));
  return found;
}

}  // namespace discover
