// The two answers of Kafka brokers; the first byte chooses which one, and its version.
#include "probe/server/kafka_message.h"
#include "fuzz/fuzz.h"

void fuzz::one_input(std::string_view bytes) {
  if (bytes.empty()) return;
  const int version = bytes[0] & 3;
  const std::string_view body = bytes.substr(1);
  if ((bytes[0] & 4) == 0) {
    if (const auto versions = probe::kafka::read_api_versions(body, version)) probe::kafka::error_name(versions->error);
    return;
  }
  const auto metadata = probe::kafka::read_metadata(body);
  if (!metadata) return;
  for (const auto& topic : metadata->topics)
    require(topic.without_leader <= topic.partitions && topic.under_replicated <= topic.partitions,
            "what is wrong with partitions is counted at most once each");
}
