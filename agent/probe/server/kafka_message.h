// Kafka's wire protocol (https://kafka.apache.org/protocol), as far as a probe needs it: ApiVersions 0 to 3, and
// Metadata 4, the first that does not make a broker create the topic that is asked for. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace probe::kafka {

inline constexpr int kMetadata = 3, kApiVersions = 18;
inline constexpr int kNewestApiVersions = 3, kMetadataVersion = 4;

// A whole request, its size in front.
std::string api_versions_request(int version, std::int32_t correlation);
std::string metadata_request(const std::vector<std::string>& topics, std::int32_t correlation);

struct Range {
  int oldest = 0;
  int newest = 0;
};
struct ApiVersions {
  int error = 0;
  std::map<int, Range> apis;  // by their keys
};

struct Topic {
  int error = 0;
  std::string name;
  std::size_t partitions = 0;
  std::size_t without_leader = 0;
  std::size_t under_replicated = 0;  // fewer replicas in sync than there should be
};
struct Metadata {
  std::size_t brokers = 0;
  std::string cluster;  // "": it does not say
  int controller = -1;  // -1: there is none
  std::vector<Topic> topics;
};

// The body of a response, behind its correlation id. Nothing: it is none, or has bytes left over.
std::optional<ApiVersions> read_api_versions(std::string_view body, int version);
std::optional<Metadata> read_metadata(std::string_view body);

// "UNKNOWN_TOPIC_OR_PARTITION", or "error 99".
std::string error_name(int code);

}  // namespace probe::kafka
