// What a gRPC server's answer holds: the frame, the message of grpc.health.v1, and the trailers (the first line is
// grpc-status, the second grpc-message).
#include "fuzz/fuzz.h"
#include "probe/net/grpc_message.h"

void fuzz::one_input(std::string_view bytes) {
  const std::size_t first = bytes.find('\n');
  const std::size_t second = first == std::string_view::npos ? first : bytes.find('\n', first + 1);
  if (second == std::string_view::npos) return;
  http::HttpResponse response;
  response.status = 200;
  response.headers = {{"content-type", "application/grpc"},
                      {"grpc-status", std::string(bytes.substr(0, first))},
                      {"grpc-message", std::string(bytes.substr(first + 1, second - first - 1))}};
  response.body = bytes.substr(second + 1);
  const probe::GrpcAnswer answer = probe::read_grpc_answer(response);
  probe::name_of(answer.status);
  if (const auto serving = probe::read_health_response(answer.body)) probe::name_of(*serving);
}
