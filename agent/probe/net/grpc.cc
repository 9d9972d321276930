// The gRPC health checking protocol, version 1: one unary call of grpc.health.v1.Health/Check, over HTTP/2 with or
// without TLS. A request and an answer of two fields each are no reason for a gRPC library: the frame is five bytes,
// the verdict stands in the trailers. The call has the run's deadline, from the look-up to the last byte.
#include <charconv>
#include <map>
#include <utility>

#include "config/request.h"
#include "http/header_lines.h"
#include "http/http_client.h"
#include "net/tls/tls.h"
#include "net/tls/tls_config.h"
#include "probe/common/probe_schema.h"
#include "probe/common/stream_probe.h"
#include "probe/common/values.h"
#include "probe/net/grpc_message.h"
#include "probe/registry.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

struct GrpcSettings {
  std::string host;
  int port = 0;
  std::string unix_socket;
  std::string service;
  bool tls = false;
  net::TlsSettings tls_config;
  IpProtocol ip_protocol;
  http::HeaderLines metadata;
};

const config::Schema<GrpcSettings>& schema() {
  static const auto schema =
      probe_schema<GrpcSettings>("grpc")
          .optional("host", &GrpcSettings::host, "Name or address to connect to.")
          .reach(config::Reach::address, config::ValueFormat::host)
          .optional("port", &GrpcSettings::port, "Port to connect to.")
          .optional("unix_socket", &GrpcSettings::unix_socket, "Unix socket to connect to, instead of host and port.")
          .reach(config::Reach::file, config::ValueFormat::path)
          .optional("service", &GrpcSettings::service, "Service to ask about. Empty: the server as a whole.")
          .reach(config::Reach::listed)
          .optional("tls", &GrpcSettings::tls, "Speak TLS; without it, HTTP/2 by prior knowledge.")
          .optional("tls_config", &GrpcSettings::tls_config, net::tls_schema(), "How to speak TLS.")
          .optional("ip_protocol", &GrpcSettings::ip_protocol, "Addresses to use: any, ip4 or ip6.")
          .reach(config::Reach::listed)
          .optional("metadata", &GrpcSettings::metadata,
                    "Headers of the call, by name; a list for several of one name.")
          .check([](const GrpcSettings& grpc, const config::Complain& complain) {
            if (grpc.host.empty() == grpc.unix_socket.empty())
              complain(grpc.host.empty() ? "" : "unix_socket", "needs either host and port or unix_socket");
            if (const std::string why = grpc.host.empty() ? "" : config::host_complaint(grpc.host); !why.empty())
              complain("host", why);
            if (!grpc.host.empty() && (grpc.port < 1 || grpc.port > 65535))
              complain("port", "must be between 1 and 65535");
            if (!grpc.unix_socket.empty() && grpc.unix_socket[0] != '/')
              complain("unix_socket", "must be an absolute path");
            for (const auto& [name, value] : grpc.metadata.all)
              if (name.empty() || name.starts_with("grpc-") || name.starts_with(":"))
                complain("metadata", "has '" + name + "', which is not for callers to set");
          });
  return schema;
}

struct Prepared {
  http::HttpRequest request;
  std::string service;
  bool tls = false;
  std::string target;
};

// What the server is called in texts.
std::string asked(const Prepared& prepared) {
  return prepared.service.empty() ? prepared.target : "service " + prepared.service + " of " + prepared.target;
}

class GrpcProbe final : public Probe {
 public:
  GrpcProbe(const Context& context, const Prepared& prepared) : context_(context), prepared_(prepared) {}

  void start(base::Instant deadline, Done done) override {
    done_ = std::move(done);
    http::HttpRequest request = prepared_.request;
    request.deadline = deadline;
    asking_ = context_.http.request(std::move(request), [this](http::HttpResponse r) { on_answer(std::move(r)); });
  }

 private:
  void on_answer(http::HttpResponse response) {
    Outcome outcome = judge(response);
    measure(response, outcome);
    outcome.phases = std::move(response.phases);
    std::exchange(done_, nullptr)(std::move(outcome));
  }

  Outcome judge(const http::HttpResponse& response) {
    if (response.reason != Reason::none) {
      // What a gRPC client would call it: DEADLINE_EXCEEDED or UNAVAILABLE.
      const bool late = response.reason == Reason::read_timeout || response.reason == Reason::connect_timeout ||
                        response.reason == Reason::send_timeout;
      status_ = late ? GrpcStatus::deadline_exceeded : GrpcStatus::unavailable;
      return Outcome::failure(response.reason, response.text);
    }
    const GrpcAnswer answer = read_grpc_answer(response);
    status_ = answer.status;
    if (!answer.broken.empty()) return Outcome::failure(Reason::protocol_error, prepared_.target + " " + answer.broken);
    if (answer.status != GrpcStatus::ok) {
      const bool login = answer.status == GrpcStatus::unauthenticated || answer.status == GrpcStatus::permission_denied;
      return Outcome::failure(login ? Reason::auth_failed : Reason::status_mismatch,
                              asked(prepared_) + ": the call ended with " + name_of(answer.status) +
                                  (answer.message.empty() ? "" : ": " + answer.message));
    }
    const auto serving = read_health_response(answer.body);
    if (!serving)
      return Outcome::failure(Reason::protocol_error, prepared_.target + " sent what is no health response");
    serving_ = *serving;
    const std::string text = asked(prepared_) + " is " + name_of(*serving);
    return *serving == Serving::serving ? Outcome::success(text) : Outcome::failure(Reason::status_mismatch, text);
  }

  void measure(const http::HttpResponse& response, Outcome& outcome) const {
    base::Duration resolve{}, check{};
    for (const model::Phase& phase : response.phases) (phase.name == "resolve" ? resolve : check) += phase.took;
    const auto tell = [&](const char* name, double value, model::Labels labels = {}) {
      outcome.measurements.push_back({name, value, std::move(labels)});
    };
    tell("probe_grpc_duration_seconds", model::duration_value(resolve), {{"phase", "resolve"}});
    tell("probe_grpc_duration_seconds", model::duration_value(check), {{"phase", "check"}});
    tell("probe_grpc_status_code", static_cast<double>(status_));
    for (const Serving each : kServing)
      tell("probe_grpc_healthcheck_response", serving_ == each ? 1 : 0, {{"serving_status", name_of(each)}});
    tell("probe_grpc_ssl", response.tls_seen ? 1 : 0);
    if (prepared_.request.unix_socket.empty()) measure_address(response.address, response.phases, outcome.measurements);
    if (response.tls_seen) measure_chain(response.chain, outcome.measurements);
  }

  const Context& context_;
  const Prepared& prepared_;
  Done done_;
  loop::Handle asking_;
  GrpcStatus status_ = GrpcStatus::unknown;
  std::optional<Serving> serving_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  GrpcSettings grpc = schema().parse(node, path, errors);
  Prepared prepared;
  http::HttpRequest& request = prepared.request;
  const bool local = !grpc.unix_socket.empty();
  prepared.target = local ? grpc.unix_socket : written(grpc.host, grpc.port);
  prepared.tls = grpc.tls;
  request.method = "POST";
  request.url =
      (grpc.tls ? "https://" : "http://") + (local ? "localhost" : prepared.target) + "/grpc.health.v1.Health/Check";
  request.headers = {{"Content-Type", "application/grpc"}, {"TE", "trailers"}};
  for (const auto& [name, value] : grpc.metadata.all) request.headers.emplace_back(name, value);
  request.body = health_request(grpc.service);
  request.unix_socket = std::move(grpc.unix_socket);
  request.family = grpc.ip_protocol.family;
  request.max_redirects = 0;
  request.http2 = http::Http2::required;
  if (grpc.tls) request.tls = net::tls_context(grpc.tls_config, node, path, errors);
  prepared.service = std::move(grpc.service);
  return std::make_unique<PreparedSettings<GrpcProbe, Prepared>>(std::move(prepared));
}

}  // namespace

const Type grpc_type{
    .name = "grpc",
    .summary = "Asks a gRPC server for the health of a service: grpc.health.v1, with or without TLS.",
    .example = R"(name: health
type: grpc
host: 127.0.0.1
port: 9090
service: shop.Inventory
interval: 2s
timeout: 500ms
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_grpc_duration_seconds", "probe_grpc_status_code", "probe_grpc_healthcheck_response",
                     "probe_grpc_ssl", "probe_ip_protocol", "probe_ip_addr_hash", "probe_dns_lookup_time_seconds"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      if (target.starts_with('/')) return {{"unix_socket", std::string(target)}};
      return host_and_port(target);
    },
    .other_measurements = with_chain({}),
};

}  // namespace probe
