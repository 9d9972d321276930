// A JSON document as numbers: values by their paths become gauges, and assertions say what is wrong with it. Presets
// know the documents of Mesos, Elasticsearch and RabbitMQ.
#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/number.h"
#include "base/text.h"
#include "encoding/url.h"
#include "http/http_client.h"
#include "probe/common/probe_schema.h"
#include "probe/common/stream_probe.h"
#include "probe/http/fetch.h"
#include "probe/http/json_check.h"
#include "probe/registry.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

struct JsonSettings : FetchSettings {
  std::string preset;
  std::map<std::string, std::string> values;
  std::vector<JsonCheck> json;
};

// A document that is known: where it is, what of it is measured, and the path that shows that it is the right one.
struct Preset {
  std::string_view name;
  std::string_view url_path;
  std::string_view proof;
  std::span<const std::string_view> paths;
};

// https://mesos.apache.org/documentation/latest/monitoring/: keys with slashes in one flat object.
constexpr std::array<std::string_view, 24> kMesosMaster{"master/elected",
                                                        "master/uptime_secs",
                                                        "master/slaves_active",
                                                        "master/slaves_inactive",
                                                        "master/slaves_connected",
                                                        "master/slaves_disconnected",
                                                        "master/slave_removals",
                                                        "master/frameworks_active",
                                                        "master/frameworks_disconnected",
                                                        "master/tasks_staging",
                                                        "master/tasks_running",
                                                        "master/tasks_failed",
                                                        "master/tasks_lost",
                                                        "master/tasks_killed",
                                                        "master/tasks_error",
                                                        "master/cpus_percent",
                                                        "master/mem_percent",
                                                        "master/disk_percent",
                                                        "master/event_queue_messages",
                                                        "master/event_queue_dispatches",
                                                        "master/event_queue_http_requests",
                                                        "system/load_1min",
                                                        "registrar/state_store_ms",
                                                        "registrar/state_store_ms/p99"};
constexpr std::array<std::string_view, 13> kMesosAgent{
    "slave/registered",        "slave/uptime_secs",          "slave/recovery_errors",
    "slave/executors_running", "slave/executors_terminated", "slave/tasks_running",
    "slave/tasks_failed",      "slave/tasks_lost",           "slave/container_launch_errors",
    "slave/cpus_percent",      "slave/mem_percent",          "slave/disk_percent",
    "system/load_1min"};
// https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-cluster-health
constexpr std::array<std::string_view, 12> kElasticsearch{"status",
                                                          "timed_out",
                                                          "number_of_nodes",
                                                          "number_of_data_nodes",
                                                          "active_primary_shards",
                                                          "active_shards",
                                                          "relocating_shards",
                                                          "initializing_shards",
                                                          "unassigned_shards",
                                                          "number_of_pending_tasks",
                                                          "task_max_waiting_in_queue_millis",
                                                          "active_shards_percent_as_number"};
// https://www.rabbitmq.com/docs/http-api-reference: GET /api/overview
constexpr std::array<std::string_view, 11> kRabbitmq{
    "queue_totals.messages",          "queue_totals.messages_ready",         "queue_totals.messages_unacknowledged",
    "object_totals.queues",           "object_totals.connections",           "object_totals.channels",
    "object_totals.consumers",        "message_stats.publish_details.rate",  "message_stats.deliver_get_details.rate",
    "message_stats.ack_details.rate", "message_stats.redeliver_details.rate"};

constexpr std::array kPresets{
    Preset{"mesos_master", "/metrics/snapshot", "master/elected", kMesosMaster},
    Preset{"mesos_agent", "/metrics/snapshot", "slave/registered", kMesosAgent},
    Preset{"elasticsearch", "/_cluster/health", "status", kElasticsearch},
    Preset{"rabbitmq", "/api/overview", "object_totals.queues", kRabbitmq},
};

const Preset* find_preset(std::string_view name) {
  const auto found = std::find_if(kPresets.begin(), kPresets.end(), [&](const Preset& p) { return p.name == name; });
  return found == kPresets.end() ? nullptr : &*found;
}

const config::Schema<JsonSettings>& schema() {
  static const auto schema = [] {
    auto keys = probe_schema<JsonSettings>("json");
    add_fetch_keys(keys);
    keys.optional(
            "preset", &JsonSettings::preset,
            "A document that is known: mesos_master, mesos_agent, elasticsearch or rabbitmq. It brings values, an "
            "assertion, and the path for a url that has none.")
        .optional("values", &JsonSettings::values,
                  "Values to measure, by name: {waiting: queue.depth}. true and false are 1 and 0; a word becomes "
                  "probe_json_state{name=…, state=…} 1. One that is missing fails the run.")
        .list("json", &JsonSettings::json, json_check_schema(),
              "What must be in the document: {path: queue.depth, less_than: 100}.")
        .check([](const JsonSettings& json, const config::Complain& complain) {
          if (!json.preset.empty() && !find_preset(json.preset))
            complain("preset", "must be mesos_master, mesos_agent, elasticsearch or rabbitmq");
          if (json.preset.empty() && json.values.empty() && json.json.empty())
            complain("", "says nothing about the document; add values, json or preset");
          for (const auto& [name, value] : json.values)
            if (!parse_json_path(value))
              complain("values", name + ": '" + value + "' is no path; write keys and indexes as in nodes[0].name");
        });
    return keys;
  }();
  return schema;
}

struct Prepared {
  JsonSettings settings;
  FetchRequest fetch;
  std::string target;
  const Preset* preset = nullptr;
  std::vector<std::string> names, paths;  // of everything that is measured; the preset's first
};

std::optional<double> number(const std::string& text) {
  if (text == "true") return 1;
  if (text == "false") return 0;
  return base::read_number<double>(text);
}

class JsonProbe final : public FetchProbe {
 public:
  JsonProbe(const Context& context, const Prepared& prepared)
      : FetchProbe(context, prepared.fetch), prepared_(prepared) {}

 private:
  Outcome judge(const http::HttpResponse& response) override {
    const auto found = find_all_json(prepared_.paths, response.body);
    if (!found) return Outcome::failure(Reason::json_mismatch, found.error().text);
    Measurements measured;
    std::string missing;
    for (std::size_t i = 0; i < found->size(); ++i) {
      const std::string& name = prepared_.names[i];
      const auto& value = (*found)[i];
      const bool must = !prepared_.preset || i >= prepared_.preset->paths.size() || name == prepared_.preset->proof;
      const auto as_number = value && !value->string ? number(value->text) : std::nullopt;
      if (!value && must && missing.empty()) missing = prepared_.paths[i] + " is missing";
      if (as_number) measured.push_back({"probe_json_value", *as_number, {{"name", name}}});
      else if (value && value->string)
        measured.push_back({"probe_json_state", 1, {{"name", name}, {"state", base::shortened(value->text, 64)}}});
      else if (value && must && missing.empty()) missing = prepared_.paths[i] + " is neither a number nor a word";
    }
    Outcome outcome = verdict(response, missing, measured.size());
    outcome.measurements = std::move(measured);
    return outcome;
  }

  Outcome verdict(const http::HttpResponse& response, const std::string& missing, std::size_t count) const {
    if (!missing.empty()) return Outcome::failure(Reason::json_mismatch, missing);
    const std::string wrong = failed_json_check(prepared_.settings.json, response.body);
    if (!wrong.empty()) return Outcome::failure(Reason::json_mismatch, wrong);
    return Outcome::success(count == 0 ? "the document is as it must be" : std::to_string(count) + " values");
  }

  const Prepared& prepared_;
};

// What each preset holds against its document, unless the file says something about the same path.
void add_assertions(JsonSettings& json) {
  const auto add = [&](const char* path, const char* not_equals, const char* equals) {
    for (const JsonCheck& own : json.json)
      if (own.path == path) return;
    JsonCheck& check = json.json.emplace_back();
    check.path = path;
    if (not_equals) check.not_equals = JsonScalar{not_equals, true};
    if (equals) check.equals = JsonScalar{equals, false};
  };
  if (json.preset == "elasticsearch") add("status", "red", nullptr);
  if (json.preset == "mesos_agent") add("slave/registered", nullptr, "1");
}

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  Prepared prepared;
  JsonSettings& json = prepared.settings;
  json = schema().parse(node, path, errors);
  prepared.preset = find_preset(json.preset);
  if (prepared.preset) {
    const auto url = encoding::parse_url(json.url);
    if (url && url->path == "/" && url->query.empty())
      json.url = url->origin() + std::string(prepared.preset->url_path);
    for (const std::string_view known : prepared.preset->paths) {
      prepared.names.emplace_back(known);
      prepared.paths.emplace_back(known);
    }
    add_assertions(json);
  }
  for (const auto& [name, value] : json.values) {
    prepared.names.push_back(name);
    prepared.paths.push_back(value);
  }
  prepared.fetch = fetch_request(json, node, path, errors);
  prepared.target = json.url;
  return std::make_unique<PreparedSettings<JsonProbe, Prepared>>(std::move(prepared));
}

}  // namespace

const Type json_type{
    .name = "json",
    .summary = "Reads a JSON document over HTTP, measures values by their paths, and checks assertions.",
    .example = R"(name: queues
type: json
interval: 10s
timeout: 2s
url: http://127.0.0.1:15672
preset: rabbitmq
basic_auth: {username: fettle, password_file: /etc/fettle/rabbitmq.password}
values: {disk_free: node_stats.disk_free}
json: [{path: queue_totals.messages_ready, less_than: 10000}]
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      return {{"url", std::string(target)}};
    },
    .other_measurements = with_chain({"probe_json_value", "probe_json_state"}),
};

}  // namespace probe
