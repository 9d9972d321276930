#include "config/kubernetes_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/ascii.h"
#include "base/host_port.h"
#include "config/flow_text.h"

namespace config {
namespace {

using HttpGet = KubernetesProbe::HttpGet;
using TcpSocket = KubernetesProbe::TcpSocket;
using Grpc = KubernetesProbe::Grpc;
using Exec = KubernetesProbe::Exec;

const Schema<std::pair<std::string, std::string>>& header_schema() {
  using Header = std::pair<std::string, std::string>;
  static const auto s = Schema<Header>("httpHeaders")
                            .required("name", &Header::first, "Name of the header.")
                            .required("value", &Header::second, "Its value.")
                            .withholds({"value"});
  return s;
}

const Schema<HttpGet>& http_get_schema() {
  static const auto s = Schema<HttpGet>("httpGet")
                            .required("port", &HttpGet::port, "Port, a number.")
                            .optional("path", &HttpGet::path, "Path, with its query.")
                            .optional("host", &HttpGet::host, "Host to connect to.")
                            .fallback("127.0.0.1")
                            .optional("scheme", &HttpGet::scheme,
                                      "HTTP or HTTPS; of HTTPS no certificate is verified, as with the kubelet.")
                            .list("httpHeaders", &HttpGet::headers, header_schema(), "Headers of the request.")
                            .shows({"scheme"})
                            .check([](const HttpGet& http, const Complain& complain) {
                              if (std::any_of(http.path.begin(), http.path.end(),
                                              [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; }))
                                complain("path", "must not contain white space or control characters");
                              if (!base::same_word(http.scheme, "HTTP") && !base::same_word(http.scheme, "HTTPS"))
                                complain("scheme", "must be HTTP or HTTPS");
                            });
  return s;
}

const Schema<TcpSocket>& tcp_socket_schema() {
  static const auto s = Schema<TcpSocket>("tcpSocket")
                            .required("port", &TcpSocket::port, "Port, a number.")
                            .optional("host", &TcpSocket::host, "Host to connect to.")
                            .fallback("127.0.0.1");
  return s;
}

const Schema<Grpc>& grpc_schema() {
  static const auto s = Schema<Grpc>("grpc")
                            .required("port", &Grpc::port, "Port, a number.")
                            .optional("service", &Grpc::service, "Name of the service that is asked for.");
  return s;
}

const Schema<Exec>& exec_schema() {
  static const auto s = Schema<Exec>("exec")
                            .required("command", &Exec::command, "Program and arguments; it runs on the node.")
                            .check([](const Exec& exec, const Complain& complain) {
                              if (exec.command.empty() || exec.command[0].empty())
                                complain("command", "must name a program");
                            });
  return s;
}

void check_numbers(const KubernetesProbe& probe, const Complain& complain) {
  constexpr int kLongest = 86'400;
  for (const auto& [key, value, least] : {std::tuple{"periodSeconds", probe.period, 1},
                                          {"timeoutSeconds", probe.timeout, 1},
                                          {"failureThreshold", probe.failure_threshold, 1},
                                          {"successThreshold", probe.success_threshold, 1},
                                          {"initialDelaySeconds", probe.initial_delay, 0}})
    if (value < least || value > kLongest) complain(key, fmt::format("must be from {} to {}", least, kLongest));
}

void check_handler(const KubernetesProbe& probe, const Complain& complain) {
  const char* first = nullptr;
  for (const auto& [key, given] : {std::pair{"httpGet", probe.http_get.has_value()},
                                   {"tcpSocket", probe.tcp_socket.has_value()},
                                   {"grpc", probe.grpc.has_value()},
                                   {"exec", probe.exec.has_value()}}) {
    if (!given) continue;
    if (first != nullptr) complain(key, fmt::format("cannot stand beside {}: a probe asks in one way", first));
    else first = key;
  }
  if (first == nullptr) complain("", "needs httpGet, tcpSocket, grpc or exec");
}

}  // namespace

bool read(const Node& node, ContainerPort& out, std::string& why) {
  if (node.is_scalar() && !node.scalar().empty() && base::is_letter(node.scalar()[0])) {
    why = fmt::format("'{}' is the name of a container's port; write its number", node.scalar());
    return false;
  }
  if (!read(node, out.number, why)) return false;
  if (out.number < 1 || out.number > 65535) why = "must be from 1 to 65535";
  return why.empty();
}

std::string show(ContainerPort port) { return fmt::to_string(port.number); }

const Schema<KubernetesProbe>& kubernetes_probe_schema() {
  static const auto s =
      Schema<KubernetesProbe>("probe")
          .optional("httpGet", &KubernetesProbe::http_get, http_get_schema(),
                    "An HTTP request; 200 to 399 is healthy. A probe of type http.")
          .optional("tcpSocket", &KubernetesProbe::tcp_socket, tcp_socket_schema(),
                    "A connection. A probe of type tcp.")
          .optional("grpc", &KubernetesProbe::grpc, grpc_schema(), "gRPC's health check. A probe of type grpc.")
          .optional("exec", &KubernetesProbe::exec, exec_schema(),
                    "A program; exit code 0 is healthy. A probe of type exec.")
          .optional("initialDelaySeconds", &KubernetesProbe::initial_delay,
                    "After the service's start failures count for nothing for so long: startup_grace.")
          .optional("periodSeconds", &KubernetesProbe::period, "Time from one run to the next: interval.")
          .optional("timeoutSeconds", &KubernetesProbe::timeout,
                    "Limit of one run: timeout. No longer than periodSeconds, whatever stands here.")
          .optional("failureThreshold", &KubernetesProbe::failure_threshold,
                    "Failures in a row until the probe is down: failure_threshold, for every reason.")
          .optional("successThreshold", &KubernetesProbe::success_threshold,
                    "Successes in a row until it is up again: success_threshold.")
          .custom("terminationGracePeriodSeconds", "Not offered: how long a service may take to stop is its unit's.",
                  "",
                  [](const Node& node, KubernetesProbe&, const std::string& path, Errors& errors) {
                    errors.add(node.mark(), path,
                               "is the kubelet's when it restarts a container; take it out, and set TimeoutStopSec= in "
                               "the unit of the service");
                  })
          .check(check_handler)
          .check(check_numbers);
  return s;
}

std::string kubernetes_address(const KubernetesProbe& probe, const std::string& host) {
  const auto at = [&](const std::string& own, ContainerPort port) {
    return base::host_and_port(own.empty() ? host : own, static_cast<std::uint64_t>(port.number));
  };
  if (probe.http_get) return at(probe.http_get->host, probe.http_get->port);
  if (probe.tcp_socket) return at(probe.tcp_socket->host, probe.tcp_socket->port);
  return probe.grpc ? at("", probe.grpc->port) : "";
}

DeclaredProbe declared_probe(const KubernetesProbe& probe, const std::string& host) {
  DeclaredProbe out;
  const auto set = [&](const char* key, std::string value) { out.keys.emplace_back(key, std::move(value)); };
  set("interval", fmt::format("{}s", probe.period));
  set("fast_interval", fmt::format("{}s", probe.period));  // the kubelet has one period
  set("timeout", fmt::format("{}s", std::min(probe.timeout, probe.period)));
  set("failure_threshold", fmt::to_string(probe.failure_threshold));
  set("success_threshold", fmt::to_string(probe.success_threshold));
  set("fatal_reasons", "[]");  // failureThreshold counts for all
  if (probe.http_get) {
    const bool tls = base::same_word(probe.http_get->scheme, "https");
    const std::string& path = probe.http_get->path;
    out.type = "http";
    out.any_certificate = tls;
    set("url", fmt::format("{}://{}{}{}", tls ? "https" : "http", kubernetes_address(probe, host),
                           path.starts_with('/') ? "" : "/", path));
    set("valid_status_codes", "[2xx, 3xx]");
  } else if (probe.grpc) {
    out.type = "grpc";
    if (!probe.grpc->service.empty()) set("service", probe.grpc->service);
  } else {
    out.type = probe.tcp_socket ? "tcp" : "exec";
  }
  return out;
}

std::string kubernetes_headers(const KubernetesProbe& probe) {
  if (!probe.http_get) return "";
  std::map<std::string, std::string> all;
  for (const auto& [name, value] : probe.http_get->headers) {
    std::string& joined = all[name];
    joined += (joined.empty() ? "" : ", ") + value;
  }
  std::string out;
  for (const auto& [name, value] : all)
    out += fmt::format("{}{}: {}", out.empty() ? "" : ", ", quoted_text(name), quoted_text(value));
  return out.empty() ? "" : "{" + out + "}";
}

}  // namespace config
