#include "probe/server/kafka_message.h"

#include <array>

#include "probe/common/big_endian.h"

namespace probe::kafka {
namespace {

constexpr std::string_view kClient = "fettle";

std::string text(std::string_view value) { return big_endian(value.size(), 2) + std::string(value); }

// Of flexible versions: the length and one, in one byte for what is this short.
std::string compact(std::string_view value) {
  return std::string(1, static_cast<char>(value.size() + 1)) + std::string(value);
}

std::string request(int api, int version, std::int32_t correlation, const std::string& body) {
  const std::string whole = big_endian(static_cast<std::uint64_t>(api), 2) +
                            big_endian(static_cast<std::uint64_t>(version), 2) +
                            big_endian(static_cast<std::uint32_t>(correlation), 4) + text(kClient) + body;
  return big_endian(whole.size(), 4) + whole;
}

std::uint64_t read_varint(BigEndianReader& in) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 35 && !in.broken(); shift += 7) {
    const std::uint64_t byte = in.number(1);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return value;
}

// Fields of later versions, by number and size: to be passed over.
void skip_tags(BigEndianReader& in) {
  for (std::uint64_t left = read_varint(in); left > 0 && !in.broken(); --left) {
    read_varint(in);
    in.text(read_varint(in));
  }
}

// A NULL has the length -1 and reads as "".
std::string read_text(BigEndianReader& in) {
  const std::int64_t size = in.signed_number(2);
  return size < 0 ? "" : std::string(in.text(static_cast<std::size_t>(size)));
}

// The length of an array whose elements take at least `least` bytes each: more cannot have come.
std::size_t read_count(BigEndianReader& in, std::size_t least) {
  const std::int64_t count = in.signed_number(4);
  if (count <= 0) return 0;
  if (static_cast<std::size_t>(count) > in.left() / least) in.text(in.left() + 1);
  return in.broken() ? 0 : static_cast<std::size_t>(count);
}

Topic read_topic(BigEndianReader& in) {
  Topic topic;
  topic.error = static_cast<int>(in.signed_number(2));
  topic.name = read_text(in);
  in.number(1);  // whether it is an internal one
  topic.partitions = read_count(in, 18);
  for (std::size_t i = 0; i < topic.partitions && !in.broken(); ++i) {
    in.number(2);  // an error that the leader tells as well
    in.number(4);
    if (in.signed_number(4) < 0) ++topic.without_leader;
    const std::size_t replicas = read_count(in, 4);
    in.text(4 * replicas);
    const std::size_t in_sync = read_count(in, 4);
    in.text(4 * in_sync);
    if (in_sync < replicas) ++topic.under_replicated;
  }
  return topic;
}

struct ErrorName {
  int code;
  const char* name;
};
constexpr std::array kErrors{ErrorName{-1, "UNKNOWN_SERVER_ERROR"},       ErrorName{3, "UNKNOWN_TOPIC_OR_PARTITION"},
                             ErrorName{5, "LEADER_NOT_AVAILABLE"},        ErrorName{17, "INVALID_TOPIC_EXCEPTION"},
                             ErrorName{29, "TOPIC_AUTHORIZATION_FAILED"}, ErrorName{31, "CLUSTER_AUTHORIZATION_FAILED"},
                             ErrorName{35, "UNSUPPORTED_VERSION"},        ErrorName{42, "INVALID_REQUEST"},
                             ErrorName{58, "SASL_AUTHENTICATION_FAILED"}};

}  // namespace

std::string api_versions_request(int version, std::int32_t correlation) {
  // Flexible: no tags of the header, then who asks, and no tags of the body.
  const std::string nothing(1, '\0');
  return request(kApiVersions, version, correlation,
                 version < 3 ? "" : nothing + compact(kClient) + compact("1") + nothing);
}

std::string metadata_request(const std::vector<std::string>& topics, std::int32_t correlation) {
  std::string body = big_endian(topics.size(), 4);
  for (const std::string& topic : topics) body += text(topic);
  return request(kMetadata, kMetadataVersion, correlation, body + '\0');
}

std::optional<ApiVersions> read_api_versions(std::string_view body, int version) {
  BigEndianReader in(body);
  ApiVersions found;
  found.error = static_cast<int>(in.signed_number(2));
  std::uint64_t count = 0;
  if (version < 3) {
    count = read_count(in, 6);
  } else if (const std::uint64_t coded = read_varint(in); coded > 0) {
    count = coded - 1;
  }
  for (; count > 0 && !in.broken(); --count) {
    const int api = static_cast<int>(in.signed_number(2));
    const int oldest = static_cast<int>(in.signed_number(2));
    found.apis[api] = {oldest, static_cast<int>(in.signed_number(2))};
    if (version >= 3) skip_tags(in);
  }
  if (version >= 1) in.number(4);  // how long it held us back
  if (version >= 3) skip_tags(in);
  if (in.broken() || in.left() > 0) return std::nullopt;
  return found;
}

std::optional<Metadata> read_metadata(std::string_view body) {
  BigEndianReader in(body);
  Metadata found;
  in.number(4);  // how long it held us back
  found.brokers = read_count(in, 12);
  for (std::size_t i = 0; i < found.brokers && !in.broken(); ++i) {
    in.number(4);
    read_text(in);
    in.number(4);
    read_text(in);
  }
  found.cluster = read_text(in);
  found.controller = static_cast<int>(in.signed_number(4));
  for (std::size_t topics = read_count(in, 9); topics > 0 && !in.broken(); --topics)
    found.topics.push_back(read_topic(in));
  if (in.broken() || in.left() > 0) return std::nullopt;
  return found;
}

std::string error_name(int code) {
  for (const ErrorName& error : kErrors)
    if (error.code == code) return error.name;
  return "error " + std::to_string(code);
}

}  // namespace probe::kafka
