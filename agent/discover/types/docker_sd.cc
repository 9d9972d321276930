// Targets that a Docker engine runs, as Prometheus' docker_sd_configs finds them: a target for each TCP port of each
// container in each of its networks (or in the first), with the same __meta_docker_ labels. Asked from time to time;
// an engine that does not answer keeps what it said when it last did.
#include <map>
#include <set>
#include <utility>

#include "base/host_port.h"
#include "base/percent.h"
#include "base/secret.h"
#include "config/redact.h"
#include "discover/meta_labels.h"
#include "discover/polled_list.h"
#include "discover/registry.h"
#include "discover/served_settings.h"
#include "encoding/json_value.h"
#include "http/http_config.h"
#include "http/json_api.h"
#include "loop/scheduler.h"

namespace discover {
namespace {

using encoding::json;
using encoding::member;
using encoding::text_of;
using namespace std::chrono_literals;

struct Filter {
  std::string name;
  std::vector<std::string> values;
};

struct DockerSdSettings {
  std::string host;
  int port = 80;
  std::string host_networking_host = "localhost";
  bool match_first_network = true;
  std::vector<Filter> filters;
  base::Millis refresh_interval{60'000};
  http::HttpConfig http;
};

const config::Schema<Filter>& filter_schema() {
  static const auto schema = config::Schema<Filter>("filters")
                                 .required("name", &Filter::name, "Name of the filter: label, name, network, status …")
                                 .required("values", &Filter::values, "Values, of which one must fit.")
                                 .shows({"name", "values"});
  return schema;
}

const config::Schema<DockerSdSettings>& schema() {
  static const auto schema = [] {
    auto keys =
        config::Schema<DockerSdSettings>("docker_sd_configs")
            .required("host", &DockerSdSettings::host,
                      "The engine: unix:///run/docker.sock, tcp://HOST:PORT, http:// or https://. Who may use the "
                      "engine's own socket is root on its node: better name a proxy that lets only GET of "
                      "/containers/json and /networks through.")
            .optional("port", &DockerSdSettings::port, "Port of the target where a container has no TCP port.")
            .optional("host_networking_host", &DockerSdSettings::host_networking_host,
                      "Address of the target where a container has the network of its host.")
            .optional("match_first_network", &DockerSdSettings::match_first_network,
                      "Of a container with several networks only the first by name; false: all of them.")
            .list("filters", &DockerSdSettings::filters, filter_schema(),
                  "Only containers that fit all of these, as in docker ps --filter.")
            .optional("refresh_interval", &DockerSdSettings::refresh_interval, "Ask the engine this often.")
            .inlined(&DockerSdSettings::http, http::http_config_schema())
            .beside(config::target_template_schema())
            .check([](const DockerSdSettings& sd, const config::Complain& complain) {
              if (const auto address = http::parse_api_address(sd.host); !address)
                complain("host", address.error().text);
              if (sd.port < 1 || sd.port > 65'535) complain("port", "must be between 1 and 65535");
              if (sd.host_networking_host.empty()) complain("host_networking_host", "must not be empty");
              if (sd.refresh_interval < 1s) complain("refresh_interval", "must be at least 1s");
            });
    keys.shows({"host", "host_networking_host"});
    return keys;
  }();
  return schema;
}

std::string yes_no(const json& value) { return value.is_boolean() && value.get<bool>() ? "true" : "false"; }

// By the network's id.
std::map<std::string, LabelMap> network_labels(const json& networks) {
  std::map<std::string, LabelMap> all;
  for (const json& network : networks) {
    LabelMap& labels = all[text_of(member(network, "Id"))];
    labels["__meta_docker_network_id"] = text_of(member(network, "Id"));
    labels["__meta_docker_network_name"] = text_of(member(network, "Name"));
    labels["__meta_docker_network_scope"] = text_of(member(network, "Scope"));
    labels["__meta_docker_network_internal"] = yes_no(member(network, "Internal"));
    labels["__meta_docker_network_ingress"] = yes_no(member(network, "Ingress"));
    add_members(member(network, "Labels"), "__meta_docker_network_label_", labels);
  }
  return all;
}

// The targets of one answer: GET /containers/json beside GET /networks.
class Containers {
 public:
  Containers(const DockerSdSettings& settings, const json& containers, const json& networks)
      : settings_(settings), networks_(network_labels(networks)) {
    for (const json& container : containers) by_id_[text_of(member(container, "Id"))] = &container;
    for (const json& container : containers) add(container);
  }
  std::vector<Target> targets() && { return std::move(targets_); }

 private:
  static std::string mode_of(const json& container) {
    return text_of(member(member(container, "HostConfig"), "NetworkMode"));
  }
  static const json& networks_of(const json& container) {
    return member(member(container, "NetworkSettings"), "Networks");
  }
  // A container without a network of its own may share another one's: "container:ID", which may do the same.
  const json& own_or_shared_networks(const json& container) const {
    constexpr std::string_view kShared = "container:";
    const json* at = &container;
    for (std::size_t hops = 0; networks_of(*at).empty() && hops < by_id_.size(); ++hops) {
      const std::string mode = mode_of(*at);
      const auto other = mode.starts_with(kShared) ? by_id_.find(mode.substr(kShared.size())) : by_id_.end();
      if (other == by_id_.end()) break;
      at = other->second;
    }
    return networks_of(*at);
  }

  void add(const json& container) {
    const json& names = member(container, "Names");
    if (!names.is_array() || names.empty()) return;
    LabelMap labels{{"__meta_docker_container_id", text_of(member(container, "Id"))},
                    {"__meta_docker_container_name", text_of(names[0])},
                    {"__meta_docker_container_network_mode", mode_of(container)}};
    add_members(member(container, "Labels"), "__meta_docker_container_label_", labels);
    const json& networks = own_or_shared_networks(container);
    if (!networks.is_object()) return;
    for (const auto& [name, network] : networks.items()) {  // by name
      if (!network.is_object()) continue;
      add_network(container, network, labels);
      if (settings_.match_first_network) break;
    }
  }

  void add_network(const json& container, const json& network, LabelMap labels) {
    const std::string ip = text_of(member(network, "IPAddress"));
    labels["__meta_docker_network_ip"] = ip;
    if (const auto known = networks_.find(text_of(member(network, "NetworkID"))); known != networks_.end())
      labels.insert(known->second.begin(), known->second.end());
    bool has_port = false;
    for (const json& port : member(container, "Ports")) {
      const auto inside = encoding::number_of(member(port, "PrivatePort"));
      if (text_of(member(port, "Type")) != "tcp" || !inside) continue;
      has_port = true;
      LabelMap of_port = labels;
      of_port["__meta_docker_port_private"] = std::to_string(*inside);
      if (const auto outside = encoding::number_of(member(port, "PublicPort")); outside && *outside > 0) {
        of_port["__meta_docker_port_public"] = std::to_string(*outside);
        of_port["__meta_docker_port_public_ip"] = text_of(member(port, "IP"));
      }
      targets_.push_back({base::host_and_port(ip, *inside), as_labels(of_port)});
    }
    if (has_port) return;
    const bool of_host = mode_of(container) == "host";
    targets_.push_back(
        {of_host ? settings_.host_networking_host : base::host_and_port(ip, static_cast<std::uint64_t>(settings_.port)),
         as_labels(labels)});
  }

  const DockerSdSettings& settings_;
  std::map<std::string, LabelMap> networks_;
  std::map<std::string, const json*> by_id_;
  std::vector<Target> targets_;
};

// {"label":["a=b"]}, as a value of a query; "" for none.
std::string filters_query(const std::vector<Filter>& filters) {
  if (filters.empty()) return "";
  std::map<std::string, std::set<std::string>> by_name;
  for (const Filter& filter : filters) by_name[filter.name].insert(filter.values.begin(), filter.values.end());
  return "?filters=" + base::percent_encode(json(by_name).dump(-1, ' ', false, json::error_handler_t::replace));
}

class DockerSd final : public Source {
 public:
  DockerSd(DockerSdSettings settings, http::JsonApi api, const Context& context, std::function<void()> changed)
      : settings_(std::move(settings)),
        api_(std::move(api)),
        context_(context),
        list_(base::without_secrets(settings_.host), settings_.refresh_interval, context.scheduler, std::move(changed),
              [this] { ask(); }) {}

  std::vector<const TargetList*> lists() const override { return {&list_.list()}; }
  void refresh() override { list_.ask_now(); }

 private:
  void ask() {
    get("/networks", [this](const json& networks) {
      get("/containers/json" + filters_query(settings_.filters), [this, networks](const json& containers) {
        list_.take(Containers(settings_, containers, networks).targets());
      });
    });
  }
  void get(const std::string& path, std::function<void(const json&)> then) {
    pending_ = api_.ask(context_.http, context_.scheduler,
                        {.path = path, .deadline = context_.scheduler.now() + PolledList::kPatience},
                        [this, path, then = std::move(then)](const http::HttpResponse& response) {
                          const json body = encoding::read_json(response.body);
                          if (!http::is_good(response)) return list_.keep(path, api_.complaint(response), response);
                          if (!body.is_array()) return list_.keep(path, "the answer is no JSON list", response);
                          then(body);
                        });
  }

  DockerSdSettings settings_;
  http::JsonApi api_;
  Context context_;
  loop::Handle pending_;
  PolledList list_;
};

std::unique_ptr<const Settings> parse(const config::Node& entry, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  DockerSdSettings settings = schema().parse(entry, path, errors);
  http::ConfiguredClient client(settings.http, entry, path, errors);
  http::JsonApi api(http::parse_api_address(settings.host).value_or(http::ApiAddress{}), std::move(client),
                    config::secrets_of(entry));
  return std::make_unique<ServedSettings<DockerSd, DockerSdSettings, http::JsonApi>>(std::move(settings),
                                                                                     std::move(api));
}

}  // namespace

const Type docker_sd_source{
    .key = "docker_sd_configs",
    .summary = "More probes, one for each port of the containers that a Docker engine runs, as in Prometheus.",
    .example = R"(docker_sd_configs:
  - host: unix:///run/docker-proxy.sock
    filters: [{name: label, values: [fettle.probe=http]}]
    probe: {type: http, labels: {container: "${__meta_docker_container_name}"}}
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
};

}  // namespace discover
