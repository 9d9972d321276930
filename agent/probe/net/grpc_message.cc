#include "probe/net/grpc_message.h"

#include <algorithm>
#include <cstdint>

#include "base/ascii.h"
#include "base/number.h"
#include "base/percent.h"
#include "base/text.h"
#include "http/http_client.h"
#include "probe/common/values.h"

namespace probe {
namespace {

constexpr std::array<const char*, 17> kStatusNames{
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};
constexpr std::size_t kFrame = 5;  // compressed or not, and four bytes of length

// The last header of that name: trailers come after headers. Names are lower case in HTTP/2.
std::optional<std::string> header(const http::HttpResponse& response, std::string_view name) {
  std::optional<std::string> found;
  for (const auto& [known, value] : response.headers)
    if (base::same_word(known, name)) found = value;
  return found;
}

// Takes a base-128 number off the front; nothing if it does not end.
std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size() && i < 10; ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    value |= static_cast<std::uint64_t>(byte & 0x7fU) << (7 * i);
    if ((byte & 0x80U) != 0) continue;
    bytes.remove_prefix(i + 1);
    return value;
  }
  return std::nullopt;
}

std::string varint(std::uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7U) out += static_cast<char>((value & 0x7fU) | 0x80U);
  return out + static_cast<char>(value);
}

}  // namespace

std::string name_of(GrpcStatus status) {
  const auto number = static_cast<std::size_t>(status);
  return number < kStatusNames.size() ? kStatusNames[number] : "status " + std::to_string(number);
}

std::string name_of(Serving serving) {
  switch (serving) {
    case Serving::serving: return "SERVING";
    case Serving::not_serving: return "NOT_SERVING";
    case Serving::service_unknown: return "SERVICE_UNKNOWN";
    case Serving::unknown: break;
  }
  return "UNKNOWN";
}

std::string health_request(std::string_view service) {
  std::string message;
  if (!service.empty()) message = "\x0a" + varint(service.size()) + std::string(service);  // field 1, a string
  std::string frame(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8)
    frame += static_cast<char>((message.size() >> static_cast<unsigned>(shift)) & 0xffU);
  return frame + message;
}

GrpcAnswer read_grpc_answer(const http::HttpResponse& response) {
  GrpcAnswer answer;
  const auto status = header(response, "grpc-status");
  if (!response.version.starts_with("2")) {
    answer.broken = "does not speak HTTP/2";
    return answer;
  }
  if (response.status != 200 && !status) {
    answer.broken = "answered with HTTP status " + std::to_string(response.status) + ", not as a gRPC server";
    return answer;
  }
  if (!header(response, "content-type").value_or("").starts_with("application/grpc")) {
    answer.broken = "answered with content of type " + base::shown(header(response, "content-type").value_or("none")) +
                    ", not as a gRPC server";
    return answer;
  }
  const int number = status ? base::leading_number<int>(*status).value_or(-1) : -1;
  if (number < 0) {
    answer.broken = "ended the call without a grpc-status";
    return answer;
  }
  answer.status = static_cast<GrpcStatus>(number);
  answer.message = base::percent_decode(header(response, "grpc-message").value_or(""));
  if (answer.status != GrpcStatus::ok) return answer;
  const std::string_view body = response.body;
  std::size_t size = 0;
  for (std::size_t i = 1; i < kFrame && i < body.size(); ++i) size = size << 8U | static_cast<unsigned char>(body[i]);
  if (body.size() < kFrame || body[0] != 0 || body.size() != kFrame + size)
    answer.broken = "sent a message whose frame is wrong";
  else answer.body = body.substr(kFrame);
  return answer;
}

std::optional<Serving> read_health_response(std::string_view message) {
  auto found = Serving::unknown;  // a field of zero is not sent
  while (!message.empty()) {
    const auto key = take_varint(message);
    if (!key) return std::nullopt;
    std::size_t skip = 0;
    switch (*key & 7U) {
      case 0: {
        const auto value = take_varint(message);
        if (!value) return std::nullopt;
        if (*key >> 3U == 1) found = *value < kServing.size() ? kServing[*value] : Serving::unknown;
        continue;
      }
      case 1: skip = 8; break;
      case 5: skip = 4; break;
      case 2: {
        const auto size = take_varint(message);
        if (!size) return std::nullopt;
        skip = *size;
        break;
      }
      default: return std::nullopt;
    }
    if (skip > message.size()) return std::nullopt;
    message.remove_prefix(skip);
  }
  return found;
}

}  // namespace probe
