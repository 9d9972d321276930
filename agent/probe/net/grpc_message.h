// The bytes of a unary gRPC call and of grpc.health.v1 (gRPC over HTTP/2, the protocol's own document; protobuf's
// encoding). Pure.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "http/http_client.h"

namespace probe {

// How a call ended; numbers as in the header grpc-status.
enum class GrpcStatus {
  ok = 0,
  cancelled,
  unknown,
  invalid_argument,
  deadline_exceeded,
  not_found,
  already_exists,
  permission_denied,
  resource_exhausted,
  failed_precondition,
  aborted,
  out_of_range,
  unimplemented,
  internal,
  unavailable,
  data_loss,
  unauthenticated,
};
std::string name_of(GrpcStatus status);  // "NOT_FOUND"

// HealthCheckResponse.ServingStatus.
enum class Serving { unknown, serving, not_serving, service_unknown };
inline constexpr std::array kServing{Serving::unknown, Serving::serving, Serving::not_serving,
                                     Serving::service_unknown};
std::string name_of(Serving serving);  // "NOT_SERVING"

// HealthCheckRequest in its frame.
std::string health_request(std::string_view service);

struct GrpcAnswer {
  std::string broken;  // why this is no answer of a gRPC server; "" if it is one
  GrpcStatus status = GrpcStatus::unknown;
  std::string message;  // grpc-message, decoded
  std::string body;     // the one message, without its frame; only if the status is ok
};
GrpcAnswer read_grpc_answer(const http::HttpResponse& response);

// HealthCheckResponse; nothing if it is none. A status of the future is `unknown`.
std::optional<Serving> read_health_response(std::string_view message);

}  // namespace probe
