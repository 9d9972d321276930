// A Kafka broker: which requests it knows (ApiVersions, which needs no login), and what it knows of its cluster:
// a controller, topics, their leaders. Asking creates no topic and joins no group.
#include <algorithm>
#include <utility>

#include "base/text.h"
#include "probe/common/big_endian.h"
#include "probe/common/endpoint.h"
#include "probe/common/probe_schema.h"
#include "probe/common/stream_probe.h"
#include "probe/common/values.h"
#include "probe/registry.h"
#include "probe/server/kafka_message.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

// StreamProbe's limit of what one answer may have, less its size.
constexpr std::size_t kLargestAnswer = 64 * 1024 - 4;
// Beyond Kafka's own limit of a request (socket.request.max.bytes) a size is no size.
constexpr std::size_t kLargestOfKafka = 100 * 1024 * 1024;

struct KafkaSettings : EndpointSettings {
  KafkaSettings() { port = 9092; }
  bool metadata = false;
  std::vector<std::string> topics;
  int min_brokers = 0;
};

const config::Schema<KafkaSettings>& schema() {
  static const auto schema = [] {
    auto keys = probe_schema<KafkaSettings>("kafka");
    add_endpoint_keys(keys,
                      {.port = "Port of a listener that wants no login (PLAINTEXT or SSL).", .unix_socket = nullptr});
    return keys
        .optional("metadata", &KafkaSettings::metadata,
                  "Ask for the cluster as well: a controller must be known. On by itself with topics or min_brokers.")
        .optional("topics", &KafkaSettings::topics,
                  "Topics that must be there, each with a leader for all its partitions. None is created by asking.")
        .reach(config::Reach::listed)
        .optional("min_brokers", &KafkaSettings::min_brokers, "Brokers that the cluster must have at least.")
        .check([](const KafkaSettings& kafka, const config::Complain& complain) {
          if (kafka.min_brokers < 0) complain("min_brokers", "must not be negative");
          for (const std::string& topic : kafka.topics)
            if (topic.empty() || topic.size() > 249) complain("topics", "a topic's name has 1 to 249 characters");
        });
  }();
  return schema;
}

using Prepared = EndpointTarget<KafkaSettings>;

class KafkaProbe final : public StreamProbe {
 public:
  KafkaProbe(const Context& context, const Prepared& prepared)
      : StreamProbe(context, prepared.dial), settings_(prepared.settings), target_(prepared.target) {}

 private:
  void connected() override { say(kafka::api_versions_request(version_, ++correlation_)); }

  void received(std::string& bytes) override {
    while (!finished() && bytes.size() >= 4) {
      const std::uint64_t size = BigEndianReader(bytes).number(4);
      if (size < 4 || size > kLargestOfKafka)
        return fail(Reason::protocol_error, "does not speak Kafka's protocol: " + base::shown(bytes));
      if (size > kLargestAnswer)
        return fail(Reason::too_large, "announces an answer of " + std::to_string(size) + " bytes");
      if (bytes.size() < 4 + size) return;
      const std::string answer = bytes.substr(4, size);
      bytes.erase(0, 4 + size);
      BigEndianReader in(answer);
      if (const auto correlation = in.signed_number(4); correlation != correlation_)
        return fail(Reason::protocol_error,
                    "answered request " + std::to_string(correlation) + " instead of " + std::to_string(correlation_));
      heard(in.text(in.left()));
    }
  }

  void heard(std::string_view body) {
    if (apis_) return judge(kafka::read_metadata(body));
    // A broker that does not know a version says so in the format of version 0.
    const int error = static_cast<int>(BigEndianReader(body).signed_number(2));
    const bool too_new = error == 35 && version_ > 0;
    const auto found = kafka::read_api_versions(body, too_new ? 0 : version_);
    if (!found) return fail(Reason::protocol_error, "answered ApiVersions with what is no answer to it");
    if (too_new) {
      const auto own = found->apis.find(kafka::kApiVersions);
      version_ = own == found->apis.end() ? 0 : std::clamp(own->second.newest, 0, version_ - 1);
      return say(kafka::api_versions_request(version_, ++correlation_));
    }
    if (error != 0) return fail(Reason::status_mismatch, "answered ApiVersions with " + kafka::error_name(error));
    apis_ = *found;
    if (!settings_.metadata && settings_.topics.empty() && settings_.min_brokers == 0)
      return finish(Outcome::success(target_ + " is a broker"));
    const auto metadata = apis_->apis.find(kafka::kMetadata);
    if (metadata == apis_->apis.end() || metadata->second.newest < kafka::kMetadataVersion ||
        metadata->second.oldest > kafka::kMetadataVersion)
      return fail(Reason::status_mismatch,
                  "does not know Metadata 4 (Kafka 0.11 and later do), which creates no topic by asking");
    say(kafka::metadata_request(settings_.topics, ++correlation_));
  }

  void judge(const std::optional<kafka::Metadata>& found) {
    if (!found) return fail(Reason::protocol_error, "answered Metadata with what is no answer to it");
    metadata_ = *found;
    if (found->controller < 0) return fail(Reason::status_mismatch, "knows no controller of its cluster");
    if (found->brokers < static_cast<std::size_t>(settings_.min_brokers))
      return fail(Reason::status_mismatch, "knows " + std::to_string(found->brokers) + " brokers; min_brokers is " +
                                               std::to_string(settings_.min_brokers));
    for (const std::string& name : settings_.topics) {
      const auto topic = std::find_if(found->topics.begin(), found->topics.end(),
                                      [&](const kafka::Topic& t) { return t.name == name; });
      if (topic == found->topics.end()) return fail(Reason::protocol_error, "says nothing of topic " + name);
      if (topic->error == 3) return fail(Reason::status_mismatch, "has no topic " + name);
      if (topic->error == 29) return fail(Reason::auth_failed, "does not let us see topic " + name);
      // 5: some partition is without a leader, which is counted below.
      if (topic->error != 0 && topic->error != 5)
        return fail(Reason::status_mismatch, "answers for topic " + name + " with " + kafka::error_name(topic->error));
      if (topic->without_leader > 0 || topic->error == 5)
        return fail(Reason::status_mismatch, "has no leader for " + std::to_string(topic->without_leader) + " of " +
                                                 std::to_string(topic->partitions) + " partitions of topic " + name);
    }
    const std::string brokers = std::to_string(found->brokers) + (found->brokers == 1 ? " broker" : " brokers");
    finish(Outcome::success(target_ + " is one of " + brokers +
                            (settings_.topics.empty() ? "" : "; all topics have leaders")));
  }

  // A listener with SASL answers ApiVersions to everybody, and hangs up on whatever else comes before the login.
  bool closed_by_peer() override {
    if (!apis_) return false;
    fail(Reason::auth_failed, "closed the connection instead of answering Metadata; does this listener want a login?");
    return true;
  }

  void measure(Outcome& outcome) override {
    const auto add = [&](const char* name, double value, model::Labels labels) {
      outcome.measurements.push_back({name, value, std::move(labels)});
    };
    if (!apis_) return;
    add("probe_kafka_apis", static_cast<double>(apis_->apis.size()), {});
    if (!metadata_) return;
    add("probe_kafka_brokers", static_cast<double>(metadata_->brokers), {});
    add("probe_kafka_controller_known", metadata_->controller < 0 ? 0 : 1, {});
    if (!metadata_->cluster.empty())
      add("probe_kafka_cluster_info", 1, {{"cluster_id", label_text(metadata_->cluster)}});
    for (const kafka::Topic& topic : metadata_->topics) {
      const auto& asked = settings_.topics;
      if (std::find(asked.begin(), asked.end(), topic.name) == asked.end()) continue;
      // Of a topic that it hides or has trouble with, it is not known.
      const bool there = topic.error == 0 || topic.error == 5;
      if (there || topic.error == 3) add("probe_kafka_topic_exists", there ? 1 : 0, {{"topic", topic.name}});
      if (!there) continue;
      add("probe_kafka_topic_partitions", static_cast<double>(topic.partitions), {{"topic", topic.name}});
      add("probe_kafka_topic_partitions_without_leader", static_cast<double>(topic.without_leader),
          {{"topic", topic.name}});
      add("probe_kafka_topic_partitions_under_replicated", static_cast<double>(topic.under_replicated),
          {{"topic", topic.name}});
    }
  }

  void fail(Reason reason, const std::string& what) { finish(Outcome::failure(reason, target_ + " " + what)); }

  const KafkaSettings& settings_;
  const std::string& target_;
  int version_ = kafka::kNewestApiVersions;
  std::int32_t correlation_ = 0;  // of the request that waits
  std::optional<kafka::ApiVersions> apis_;
  std::optional<kafka::Metadata> metadata_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  Prepared prepared = endpoint_target(schema().parse(node, path, errors), TlsBegins::at_once, node, path, errors);
  return std::make_unique<PreparedSettings<KafkaProbe, Prepared>>(std::move(prepared));
}

}  // namespace

const Type kafka_type{
    .name = "kafka",
    .summary = "Asks a Kafka broker what it speaks and, if wanted, for controller, brokers, topics and their leaders.",
    .example = R"(name: kafka
type: kafka
host: 127.0.0.1
port: 9092
interval: 5s
timeout: 1s
topics: [orders, payments]
min_brokers: 3
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_kafka_apis", "probe_ip_protocol", "probe_ip_addr_hash", "probe_dns_lookup_time_seconds"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      auto keys = host_and_port(target);
      if (keys.back().second.empty()) keys.pop_back();
      return keys;
    },
    .other_measurements =
        with_chain({"probe_kafka_brokers", "probe_kafka_controller_known", "probe_kafka_cluster_info",
                    "probe_kafka_topic_exists", "probe_kafka_topic_partitions",
                    "probe_kafka_topic_partitions_without_leader", "probe_kafka_topic_partitions_under_replicated"}),
};

}  // namespace probe
