// A service as the Consul agent of this node has it: the checks that are registered there. Checks that fettle feeds
// itself are left out, else a service that is down would stay so; so is maintenance, which people have asked for.
#include <fmt/format.h>

#include <utility>

#include "base/percent.h"
#include "base/text.h"
#include "encoding/json_value.h"
#include "http/consul_server.h"
#include "probe/common/probe_schema.h"
#include "probe/common/stream_probe.h"
#include "probe/registry.h"

namespace probe {
namespace {

using encoding::json;
using encoding::member;
using encoding::text_of;
using model::Outcome;
using model::Reason;

struct ConsulSettings {
  http::ConsulServer consul;
  std::string service_name;
};

const config::Schema<ConsulSettings>& schema() {
  static const auto schema = [] {
    auto keys = probe_schema<ConsulSettings>("consul")
                    .optional("service_name", &ConsulSettings::service_name,
                              "Name of the service in Consul; empty: the service's name.")
                    .reach(config::Reach::address)
                    .inlined(&ConsulSettings::consul, http::consul_server_schema());
    keys.shows({"service_name"});
    return keys;
  }();
  return schema;
}

struct Prepared {
  std::string service;
  std::string target;
  http::JsonApi agent;
};

// The checks of all instances of the service on this node.
struct Checks {
  int passing = 0, warning = 0, critical = 0;
  bool maintenance = false;
  std::string worst;  // of those that do not pass, the first critical one or else the first warning

  void add(const json& check) {
    const std::string id = text_of(member(check, "CheckID")), status = text_of(member(check, "Status"));
    if (id.starts_with("fettle:")) return;
    if (id.starts_with("_service_maintenance:") || id == "_node_maintenance") {
      maintenance = true;
      return;
    }
    const bool is_critical = status != "passing" && status != "warning";
    if (status == "passing") ++passing;
    if (status == "warning") ++warning;
    if (is_critical) ++critical;
    if (status == "passing" || (!worst.empty() && !(is_critical && critical == 1))) return;
    const std::string output = base::first_line(text_of(member(check, "Output")), 200);
    worst = fmt::format("check {} is {}{}", id, status, output.empty() ? "" : ": " + output);
  }
};

class ConsulProbe final : public Probe {
 public:
  ConsulProbe(const Context& context, const Prepared& prepared) : context_(context), prepared_(prepared) {}

  void start(base::Instant deadline, Done done) override {
    done_ = std::move(done);
    const std::string path = "/v1/agent/health/service/name/" + base::percent_encode(prepared_.service);
    pending_ = prepared_.agent.ask(context_.http, context_.scheduler, {.path = path, .deadline = deadline},
                                   [this](const http::HttpResponse& response) {
                                     Outcome outcome = judge(response);
                                     outcome.phases = response.phases;
                                     std::exchange(done_, nullptr)(std::move(outcome));
                                   });
  }
  base::KnownSecrets learned() const override { return prepared_.agent.learned(); }

 private:
  Outcome judge(const http::HttpResponse& response) const {
    const json instances = encoding::read_json(response.body);
    // 200, 429 and 503 say passing, warning and critical, each with the list.
    const bool answered = response.reason == Reason::none && instances.is_array();
    if (answered && instances.empty()) return missing();
    if (response.reason == Reason::none && response.status == 404) return missing();
    // That Consul cannot be asked says nothing about the service.
    if (!answered)
      return Outcome::failure(Reason::agent_overloaded,
                              fmt::format("{}: {}", prepared_.agent.name(), prepared_.agent.complaint(response)));
    Checks checks;
    for (const json& instance : instances)
      for (const json& check : member(instance, "Checks")) checks.add(check);
    return verdict(checks);
  }

  Outcome missing() const {
    return Outcome::failure(Reason::unit_failed,
                            fmt::format("the Consul agent of this node has no service {}", prepared_.service));
  }

  Outcome verdict(const Checks& checks) const {
    const std::string kept = checks.maintenance ? "; in maintenance" : "";
    Outcome outcome =
        checks.critical > 0 ? Outcome::failure(Reason::status_mismatch, checks.worst + kept)
        : checks.warning > 0
            ? Outcome::success(checks.worst + kept)
            : Outcome::success(fmt::format("{} checks of service {} pass{}", checks.passing, prepared_.service, kept));
    const auto measure = [&](const char* status, int count) {
      outcome.measurements.push_back({"probe_consul_checks", static_cast<double>(count), {{"status", status}}});
    };
    measure("passing", checks.passing);
    measure("warning", checks.warning);
    measure("critical", checks.critical);
    outcome.measurements.push_back({"probe_consul_maintenance", checks.maintenance ? 1.0 : 0.0, {}});
    return outcome;
  }

  const Context& context_;
  const Prepared& prepared_;
  Done done_;
  loop::Handle pending_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner& owner,
                                      config::Errors& errors) {
  ConsulSettings settings = schema().parse(node, path, errors);
  if (settings.service_name.empty()) settings.service_name = owner.service;
  return std::make_unique<PreparedSettings<ConsulProbe, Prepared>>(Prepared{
      settings.service_name, fmt::format("service {} of Consul at {}", settings.service_name, settings.consul.server),
      http::consul_api(settings.consul, node, path, errors)});
}

}  // namespace

const Type consul_type{
    .name = "consul",
    .summary = "Looks at the checks of a service that the Consul agent of this node has.",
    .example = R"(name: consul
type: consul
service_name: order
authorization: {credentials_file: /etc/fettle/consul.token}
interval: 5s
timeout: 1s
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_consul_checks", "probe_consul_maintenance"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      return {{"service_name", std::string(target)}};
    },
    .late = Reason::agent_overloaded,
    .other_measurements = std::vector<std::string_view>{},
};

}  // namespace probe
