#include "web/api/answer.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

#include "base/number.h"
#include "base/time.h"

namespace web {
namespace {

// Far beyond any sample, and far from overflow when ranges are added.
constexpr double kMostSeconds = 9e12;

std::optional<double> parse_float(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  return base::read_number<double>(text);
}

std::string_view word_of(ErrorType type) {
  switch (type) {
    case ErrorType::bad_data: return "bad_data";
    case ErrorType::forbidden: return "forbidden";
    case ErrorType::not_found: return "not_found";
    case ErrorType::execution: return "execution";
    case ErrorType::internal: return "internal";
    case ErrorType::canceled: return "canceled";
    case ErrorType::timeout: return "timeout";
    case ErrorType::unavailable: return "unavailable";
  }
  return "";
}

int status_of(ErrorType type) {
  switch (type) {
    case ErrorType::bad_data: return 400;
    case ErrorType::forbidden: return 403;
    case ErrorType::not_found: return 404;
    case ErrorType::execution: return 422;
    case ErrorType::internal: return 500;
    case ErrorType::canceled:
    case ErrorType::timeout:
    case ErrorType::unavailable: return 503;
  }
  return 500;
}

}  // namespace

Response api_error(ErrorType type, std::string_view text) {
  encoding::Json json;
  json.object([&] {
    json.key("status").string("error");
    json.key("errorType").string(word_of(type));
    json.key("error").string(text);
  });
  Response response;
  response.status = status_of(type);
  response.content_type = "application/json";
  response.body = json.take();
  return response;
}

Response api_error(const base::Error& error) {
  using base::Kind;
  switch (error.kind) {
    case Kind::invalid:
    case Kind::limit: return api_error(ErrorType::execution, error.text);
    case Kind::not_found: return api_error(ErrorType::not_found, error.text);
    case Kind::timeout: return api_error(ErrorType::timeout, error.text);
    case Kind::cancelled: return api_error(ErrorType::canceled, error.text);
    case Kind::unavailable: return api_error(ErrorType::unavailable, error.text);
    case Kind::io:
    case Kind::permission:
    case Kind::protocol: break;
  }
  return api_error(ErrorType::internal, error.text);
}

Response invalid_query(const promql::Parsed& parsed, const Request& request, promql::Compat compat) {
  const bool nowhere = compat == promql::Compat::v3 && request.param("query").empty();
  return invalid_parameter("query",
                           nowhere ? "unknown position: " + parsed.errors.front().message : parsed.error_text());
}

Response invalid_parameter(std::string_view name, std::string_view text) {
  return api_error(ErrorType::bad_data, fmt::format("invalid parameter \"{}\": {}", name, text));
}

base::Result<std::int64_t> parse_time(const std::string& text) {
  if (const auto value = parse_float(text); value && std::abs(*value) < kMostSeconds)
    return static_cast<std::int64_t>(std::llround(*value * 1000));
  if (const auto t = base::parse_iso8601(text)) return base::to_ms(*t);
  // How Prometheus writes its own smallest and largest times.
  if (text == "-292273086-05-16T16:47:06Z") return static_cast<std::int64_t>(-kMostSeconds * 1000);
  if (text == "292277025-08-18T07:12:54.999999999Z") return static_cast<std::int64_t>(kMostSeconds * 1000);
  return base::fail(base::Kind::invalid, fmt::format("cannot parse \"{}\" to a valid timestamp", text));
}

base::Result<std::int64_t> time_param(const Request& request, std::string_view name, std::int64_t fallback,
                                      promql::Compat compat) {
  const std::string text = request.param(name);
  if (text.empty()) return fallback;
  const auto t = parse_time(text);
  if (t) return *t;
  return base::fail(base::Kind::invalid, fmt::format("{}nvalid time value for '{}': {}",
                                                     compat == promql::Compat::v3 ? 'i' : 'I', name, t.error().text));
}

base::Result<std::int64_t> parse_step(const std::string& text) {
  if (const auto value = parse_float(text)) {
    if (!(std::abs(*value) < kMostSeconds))
      return base::fail(base::Kind::invalid,
                        fmt::format("cannot parse \"{}\" to a valid duration. It overflows int64", text));
    return static_cast<std::int64_t>(*value * 1000);
  }
  // Prometheus knows no fractions of units.
  if (const auto duration = base::parse_duration(text); duration && text.find('.') == std::string::npos)
    return duration->count();
  return base::fail(base::Kind::invalid, fmt::format("cannot parse \"{}\" to a valid duration", text));
}

base::Result<std::size_t> limit_param(const Request& request) {
  const std::string text = request.param("limit");
  if (text.empty()) return ~std::size_t{0};
  const char* begin = text.data() + (text[0] == '+' && text.size() > 1 && text[1] != '-' ? 1 : 0);
  std::int64_t limit = 0;
  const auto [stop, error] = std::from_chars(begin, text.data() + text.size(), limit);
  if (error == std::errc::result_out_of_range)
    return base::fail(base::Kind::invalid, fmt::format("strconv.Atoi: parsing \"{}\": value out of range", text));
  if (error != std::errc{} || stop != text.data() + text.size())
    return base::fail(base::Kind::invalid, fmt::format("strconv.Atoi: parsing \"{}\": invalid syntax", text));
  if (limit < 0) return base::fail(base::Kind::invalid, "limit must be non-negative");
  return limit == 0 ? ~std::size_t{0} : static_cast<std::size_t>(limit);
}

std::string api_timestamp(std::int64_t ms) {
  std::string out = ms < 0 ? "-" : "";
  const std::int64_t magnitude = ms < 0 ? -ms : ms;
  out += std::to_string(magnitude / 1000);
  if (magnitude % 1000 != 0) out += fmt::format(".{:03}", magnitude % 1000);
  return out;
}

void write_annotations(encoding::Json& json, const promql::Annotations& annotations) {
  for (const auto& [kind, list] : {std::pair("warnings", &annotations.warnings), {"infos", &annotations.infos}})
    if (!list->empty())
      json.key(kind).array([&, list = list] {
        for (const std::string& annotation : *list) json.string(annotation);
      });
}

std::string alert_value(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 40> text{};
  char* const end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific).ptr;
  return {text.data(), end};
}

void write_alert(const model::Alert& alert, const Snapshot& snapshot, encoding::Json& json) {
  json.object([&] {
    json.key("labels").labels(alert.labels);
    json.key("annotations").labels(alert.annotations);
    json.key("state").string(model::to_string(alert.state));
    json.key("activeAt").time(alert.active_at);
    if (alert.keep_firing_since) json.key("keepFiringSince").time(*alert.keep_firing_since);
    json.key("value").string(alert_value(alert.value));
    if (const auto found = snapshot.silenced_by.find(alert.labels); found != snapshot.silenced_by.end())
      json.key("silencedBy").array([&] {
        for (const std::string& id : found->second) json.string(id);
      });
  });
}

}  // namespace web
