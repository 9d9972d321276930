// The envelope of every API answer, and how Prometheus reads times and durations in parameters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "encoding/json.h"
#include "model/alert.h"
#include "promql/annotations.h"
#include "promql/parser.h"
#include "web/server/http.h"
#include "web/snapshot.h"

namespace web {

// "warnings" and "infos", if there are any.
void write_annotations(encoding::Json& json, const promql::Annotations& annotations);

// {"status":"success","data":…}, and the engine's annotations.
template <typename F>
Response api_success(F data, const promql::Annotations& annotations = {}) {
  encoding::Json json;
  json.object([&] {
    json.key("status").string("success");
    json.key("data");
    data(json);
    write_annotations(json, annotations);
  });
  Response response;
  response.content_type = "application/json";
  response.body = json.take();
  return response;
}

// Prometheus' types of errors, with the HTTP status that each has there.
enum class ErrorType {
  bad_data,     // 400
  forbidden,    // 403; not one of Prometheus'
  not_found,    // 404
  execution,    // 422
  internal,     // 500
  canceled,     // 503
  timeout,      // 503
  unavailable,  // 503
};
// {"status":"error","errorType":…,"error":…} with the type's status.
Response api_error(ErrorType type, std::string_view text);
Response api_error(const base::Error& error);  // by kind
// Of a request that changes something: no data, or the error. A mistake in what was sent is the sender's.
template <typename T>
Response change_answer(const base::Result<T>& result) {
  if (result) return api_success([](encoding::Json& json) { json.null(); });
  if (result.error().kind == base::Kind::invalid) return api_error(ErrorType::bad_data, result.error().text);
  return api_error(result.error());
}
// What is wrong with the parameter "query". 3.x names no position in an empty text.
Response invalid_query(const promql::Parsed& parsed, const Request& request, promql::Compat compat);
// invalid parameter "name": text
Response invalid_parameter(std::string_view name, std::string_view text);

// Seconds with fraction or RFC 3339; to milliseconds.
base::Result<std::int64_t> parse_time(const std::string& text);
// The same for a parameter that may be absent. The error is what Prometheus says of the parameter.
base::Result<std::int64_t> time_param(const Request& request, std::string_view name, std::int64_t fallback,
                                      promql::Compat compat);
// Seconds with fraction or a Prometheus duration ("5m"); to milliseconds.
base::Result<std::int64_t> parse_step(const std::string& text);

// The parameter "limit": how many results are wanted at most; without it, and for 0, all. The error is Go's.
base::Result<std::size_t> limit_param(const Request& request);
inline constexpr const char* kTruncated = "results truncated due to limit";  // a warning

// Seconds with three digits of fraction if there is any, as Prometheus writes sample times.
std::string api_timestamp(std::int64_t ms);

void write_alert(const model::Alert& alert, const Snapshot& snapshot, encoding::Json& json);
void write_recovery(const model::RecoveryReport& report, encoding::Json& json);  // in services.cc
// Of a service that is not configured, for a list in which there is nothing of it: a slip, not good news.
std::optional<Response> no_service(const std::string& name, const Snapshot& snapshot);     // in services.cc
void optional_time(const std::optional<base::WallTime>& t, encoding::Json& json);          // or null
void write_availability(const model::ServiceAvailability& service, encoding::Json& json);  // in availability.cc
void write_incident_summary(const model::Incident& incident, encoding::Json& json);        // in incidents.cc
std::string alert_value(double value);  // 1e+00, as strconv.FormatFloat(v, 'e', -1, 64)

}  // namespace web
