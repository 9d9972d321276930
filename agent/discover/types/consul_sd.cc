// Targets that Consul's catalogue has, as Prometheus' consul_sd_configs finds them: a target for each instance of each
// service, with the same __meta_consul_ labels. Blocking queries tell of changes; what cannot be asked keeps what it
// said when it last could.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/host_port.h"
#include "base/percent.h"
#include "base/secret.h"
#include "discover/blocking_query.h"
#include "discover/meta_labels.h"
#include "discover/polled_list.h"
#include "discover/registry.h"
#include "discover/served_settings.h"
#include "http/consul_server.h"
#include "loop/scheduler.h"

namespace discover {
namespace {

using encoding::json;
using encoding::member;
using encoding::text_of;
using namespace std::chrono_literals;

constexpr std::size_t kMostServices = 1000;  // a connection each

struct ConsulSdSettings {
  http::ConsulServer consul;
  std::string path_prefix;
  base::Secret token;
  std::string datacenter, namespace_, partition;
  std::vector<std::string> services, tags;
  std::map<std::string, std::string> node_meta;
  std::string filter;
  std::string tag_separator = ",";
  bool allow_stale = true;
  base::Millis refresh_interval{30'000};
};

void check(const ConsulSdSettings& sd, const config::Complain& complain) {
  if (!sd.path_prefix.empty() && (sd.path_prefix.front() != '/' || sd.path_prefix.ends_with('/')))
    complain("path_prefix", "must begin with a slash and end with none");
  if (sd.refresh_interval < 1s || sd.refresh_interval > 10min)
    complain("refresh_interval", "must be between 1s and 10m");
  if (sd.services.size() > kMostServices) complain("services", fmt::format("may name {} at most", kMostServices));
  if (!sd.token.reveal().empty() &&
      (sd.consul.http.authorization || sd.consul.http.basic_auth || sd.consul.http.oauth2))
    complain("token", "cannot stand beside another login");
}

const config::Schema<ConsulSdSettings>& schema() {
  static const auto schema = [] {
    using Sd = ConsulSdSettings;
    auto keys =
        config::Schema<Sd>("consul_sd_configs")
            .optional("path_prefix", &Sd::path_prefix, "Path in front of Consul's own, where a proxy adds one.")
            .optional("token", &Sd::token,
                      "Token of the access list; in a file: authorization: {credentials_file: PATH}.")
            .optional("datacenter", &Sd::datacenter, "Datacenter to ask for; empty: that of the agent.")
            .optional("namespace", &Sd::namespace_, "Namespace, where Consul has them.")
            .optional("partition", &Sd::partition, "Admin partition, where Consul has them.")
            .optional("services", &Sd::services, "Names of services; empty: all.")
            .optional("tags", &Sd::tags, "Only instances that have all of these tags.")
            .optional("node_meta", &Sd::node_meta, "Only nodes that have these metadata.")
            .optional("filter", &Sd::filter, "Filter expression of Consul for the list of services.")
            .optional("tag_separator", &Sd::tag_separator, "What stands between the tags in __meta_consul_tags.")
            .optional("allow_stale", &Sd::allow_stale,
                      "Any server may answer, not only the leader: less load, and an answer without a leader.")
            .optional("refresh_interval", &Sd::refresh_interval,
                      "Ask for everything this often; changes come at once besides.")
            .inlined(&Sd::consul, http::consul_server_schema())
            .beside(config::target_template_schema())
            .check(check);
    keys.shows({"path_prefix", "datacenter", "namespace", "partition", "services", "tags", "node_meta", "filter",
                "tag_separator"});
    return keys;
  }();
  return schema;
}

// In Consul's order of words: maintenance hides all else.
std::string health_of(const json& checks) {
  std::string worst = "passing";
  for (const json& check : checks) {
    const std::string id = text_of(member(check, "CheckID")), status = text_of(member(check, "Status"));
    if (id == "_node_maintenance" || id.starts_with("_service_maintenance:")) return "maintenance";
    if (status == "critical") worst = status;
    if (status == "warning" && worst == "passing") worst = status;
  }
  return worst;
}

std::string joined(const json& tags, const std::string& separator) {
  if (!tags.is_array()) return separator + separator;
  std::string out = separator;
  for (const json& tag : tags) out += text_of(tag) + separator;
  return tags.empty() ? separator + separator : out;
}

Target target_of(const json& instance, const std::string& separator) {
  const json &node = member(instance, "Node"), &service = member(instance, "Service");
  const std::string of_node = text_of(member(node, "Address")), own = text_of(member(service, "Address"));
  const std::uint64_t port = encoding::number_of(member(service, "Port")).value_or(0);
  LabelMap labels{{"__meta_consul_address", of_node},
                  {"__meta_consul_dc", text_of(member(node, "Datacenter"))},
                  {"__meta_consul_health", health_of(member(instance, "Checks"))},
                  {"__meta_consul_namespace", text_of(member(service, "Namespace"))},
                  {"__meta_consul_partition", text_of(member(service, "Partition"))},
                  {"__meta_consul_node", text_of(member(node, "Node"))},
                  {"__meta_consul_service", text_of(member(service, "Service"))},
                  {"__meta_consul_service_address", own},
                  {"__meta_consul_service_id", text_of(member(service, "ID"))},
                  {"__meta_consul_service_port", std::to_string(port)},
                  {"__meta_consul_tags", joined(member(service, "Tags"), separator)}};
  add_members(member(node, "Meta"), "__meta_consul_metadata_", labels);
  add_members(member(node, "TaggedAddresses"), "__meta_consul_tagged_address_", labels);
  add_members(member(service, "Meta"), "__meta_consul_service_metadata_", labels);
  return {base::host_and_port(own.empty() ? of_node : own, port), as_labels(labels)};
}

class ConsulSd final : public Source {
 public:
  ConsulSd(ConsulSdSettings settings, http::JsonApi api, const Context& context, std::function<void()> changed)
      : settings_(std::move(settings)),
        api_(std::move(api)),
        context_(context),
        changed_(std::move(changed)),
        list_{api_.name()} {
    if (!settings_.services.empty()) {
      for (const std::string& name : settings_.services) watch(name);
      return;
    }
    std::string path = "/v1/catalog/services" + query();
    if (!settings_.filter.empty())
      path += (path.find('?') == std::string::npos ? "?filter=" : "&filter=") + base::percent_encode(settings_.filter);
    catalogue_ = std::make_unique<BlockingQuery>(
        context_.http, context_.scheduler, api_, std::move(path), settings_.refresh_interval,
        BlockingQuery::Callbacks{[this](const std::string& body) { take_names(body); },
                                 [this](const std::string& why) { keep(why); }});
  }

  std::vector<const TargetList*> lists() const override { return {&list_}; }
  void refresh() override {
    if (catalogue_) catalogue_->ask_anew();
    for (auto& [name, service] : services_) service.query->ask_anew();
  }

 private:
  struct Watched {
    std::unique_ptr<BlockingQuery> query;
    std::optional<std::vector<Target>> targets;  // of its last good answer
    std::string error;                           // of a later one; "": there is none
  };

  std::string query() const {
    std::string out;
    const auto add = [&](const std::string& key, const std::string& value) {
      out += (out.empty() ? "?" : "&") + key + (value.empty() ? "" : "=" + base::percent_encode(value));
    };
    if (settings_.allow_stale) add("stale", "");
    if (!settings_.datacenter.empty()) add("dc", settings_.datacenter);
    if (!settings_.namespace_.empty()) add("ns", settings_.namespace_);
    if (!settings_.partition.empty()) add("partition", settings_.partition);
    for (const auto& [key, value] : settings_.node_meta) add("node-meta", key + ":" + value);
    return out;
  }

  void watch(const std::string& name) {
    std::string path = "/v1/health/service/" + base::percent_encode(name) + query();
    for (const std::string& tag : settings_.tags)
      path += (path.find('?') == std::string::npos ? "?tag=" : "&tag=") + base::percent_encode(tag);
    services_[name].query = std::make_unique<BlockingQuery>(
        context_.http, context_.scheduler, api_, std::move(path), settings_.refresh_interval,
        BlockingQuery::Callbacks{[this, name](const std::string& body) { take_instances(name, body); },
                                 [this, name](const std::string& why) {
                                   services_.at(name).error = why;
                                   if (!list_.refreshed) take();
                                   else if (list_.keep(errors(), context_.scheduler.wall_now())) changed_();
                                 }});
  }

  // {"order": ["v1", "canary"], …}
  void take_names(const std::string& body) {
    const json names = encoding::read_json(body);
    if (!names.is_object()) return keep("the catalogue is no JSON object");
    std::set<std::string> wanted;
    for (const auto& [name, tags] : names.items())
      if (std::all_of(settings_.tags.begin(), settings_.tags.end(), [&tags = tags](const std::string& tag) {
            return std::find(tags.begin(), tags.end(), json(tag)) != tags.end();
          }))
        wanted.insert(name);
    if (wanted.size() > kMostServices)
      return keep(fmt::format("it has more than {} services; name some by services, tags or filter", kMostServices));
    std::erase_if(services_, [&](const auto& service) { return !wanted.contains(service.first); });
    for (const std::string& name : wanted)
      if (!services_.contains(name)) watch(name);
    take();
  }

  void take_instances(const std::string& name, const std::string& body) {
    const json instances = encoding::read_json(body);
    Watched& service = services_.at(name);
    service.error.clear();
    if (instances.is_array()) {
      service.targets.emplace();
      for (const json& instance : instances) service.targets->push_back(target_of(instance, settings_.tag_separator));
    } else {
      service.error = "the answer about service " + name + " is no JSON list";
    }
    take();
  }

  // Once all have answered or failed: else a start would take away what a reload had. A service that fails keeps what
  // it said before, and the others go on.
  void take() {
    std::vector<Target> all;
    bool answered = services_.empty();
    for (const auto& [name, service] : services_) {
      if (!service.targets && service.error.empty()) return;
      if (!service.targets) continue;
      answered = true;
      all.insert(all.end(), service.targets->begin(), service.targets->end());
    }
    const base::WallTime now = context_.scheduler.wall_now();
    if (const std::string why = too_many(all); !why.empty()) return keep(why);
    if (answered ? list_.take(std::move(all), now, errors()) : list_.keep(errors(), now)) changed_();
  }
  std::string errors() const {
    std::string out;
    for (const auto& [name, service] : services_)
      if (!service.error.empty()) out += list_.name + ": " + service.error + "\n";
    return out;
  }
  void keep(const std::string& why) {
    if (list_.keep(list_.name + ": " + why, context_.scheduler.wall_now())) changed_();
  }

  ConsulSdSettings settings_;
  http::JsonApi api_;
  Context context_;
  std::function<void()> changed_;
  TargetList list_;
  std::map<std::string, Watched> services_;
  std::unique_ptr<BlockingQuery> catalogue_;
};

std::unique_ptr<const Settings> parse(const config::Node& entry, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  ConsulSdSettings settings = schema().parse(entry, path, errors);
  http::ConsulServer consul = settings.consul;
  if (!settings.token.reveal().empty()) {
    http::HeaderValues values;
    values.secrets.push_back(settings.token);
    consul.http.http_headers.emplace_back("X-Consul-Token", std::move(values));
  }
  http::JsonApi api = http::consul_api(consul, entry, path, errors, settings.path_prefix);
  return std::make_unique<ServedSettings<ConsulSd, ConsulSdSettings, http::JsonApi>>(std::move(settings),
                                                                                     std::move(api));
}

}  // namespace

const Type consul_sd_source{
    .key = "consul_sd_configs",
    .summary = "More probes, one for each instance of the services in Consul's catalogue, as in Prometheus.",
    .example = R"(consul_sd_configs:
  - server: localhost:8500
    services: [order, payment]
    authorization: {credentials_file: /etc/fettle/consul.token}
    probe: {type: http, labels: {instance_id: "${__meta_consul_service_id}"}}
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
};

}  // namespace discover
