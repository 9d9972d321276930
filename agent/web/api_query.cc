#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "promql/engine.h"
#include "web/api_answer.h"
#include "web/api_v1.h"

namespace web {
namespace {

// As Prometheus: an hour at a third of a second, and no answer too large for a browser.
constexpr std::int64_t kMostPoints = 11'000;

void write_sample(std::int64_t t, double v, Json& json) {
  json.array([&] {
    json.raw(api_timestamp(t));
    json.string(promql::format_value(v));
  });
}

// Of scalars and strings Prometheus writes the time as Go writes a float, without zeros at the end.
void write_lone(std::int64_t t, std::string_view text, Json& json) {
  json.array([&] {
    json.raw(fmt::format("{}", static_cast<double>(t) / 1000));
    json.string(text);
  });
}

void write_result(const promql::ScalarValue& scalar, Json& json) {
  write_lone(scalar.t, promql::format_value(scalar.v), json);
}

void write_result(const promql::StringValue& text, Json& json) { write_lone(text.t, text.v, json); }

void write_result(const promql::Vector& vector, Json& json) {
  json.array([&] {
    for (const promql::VectorSample& each : vector)
      json.object([&] {
        json.key("metric").labels(each.labels);
        json.key("value");
        write_sample(each.sample.t, each.sample.v, json);
      });
  });
}

void write_result(const promql::Matrix& matrix, Json& json) {
  json.array([&] {
    for (const promql::Series& series : matrix)
      json.object([&] {
        json.key("metric").labels(series.labels);
        json.key("values").array([&] {
          for (const model::Sample& sample : series.samples) write_sample(sample.t, sample.v, json);
        });
      });
  });
}

Response query_answer(const promql::Value& value, const std::vector<std::string>& warnings) {
  return api_success(
      [&](Json& json) {
        json.object([&] {
          json.key("resultType").string(promql::to_string(promql::type_of(value)));
          json.key("result");
          std::visit([&](const auto& result) { write_result(result, json); }, value);
        });
      },
      warnings);
}

// The options of this request's engine: its own timeout if it is the shorter one, the end of the server, and the client
// that does not wait any more.
base::Result<promql::EngineOptions> engine_options(const Request& request, const Context& context) {
  promql::EngineOptions options = context.options.engine;
  options.cancelled = context.stopping;
  options.abandoned = request.abandoned;
  if (const std::string text = request.param("timeout"); !text.empty()) {
    TRY(const std::int64_t timeout, parse_step(text));
    options.timeout = std::min(options.timeout, base::Millis(timeout));
  }
  if (const std::string text = request.param("lookback_delta"); !text.empty()) {
    TRY(const std::int64_t lookback, parse_step(text));
    if (lookback > 0) options.lookback_ms = lookback;
  }
  return options;
}

}  // namespace

Response api_query(const Request& request, const Context& context) {
  const auto time = time_param(request, "time", base::to_ms(context.now()));
  if (!time) return invalid_parameter("time", time.error().text);
  const auto options = engine_options(request, context);
  if (!options) return invalid_parameter("timeout", options.error().text);
  const promql::Parsed parsed = promql::parse(request.param("query"), options->compat);
  if (!parsed.ok()) return invalid_parameter("query", parsed.error_text());
  const auto data = context.backend.copy_samples(promql::needs(*parsed.expr, options->lookback_ms), *time, *time);
  if (!data) return api_error(data.error());
  promql::Engine engine(*options);
  const auto value = engine.instant(*parsed.expr, **data, *time);
  if (!value) return api_error(value.error());
  return query_answer(*value, engine.annotations());
}

Response api_query_range(const Request& request, const Context& context) {
  const auto start = parse_time(request.param("start"));
  if (!start) return invalid_parameter("start", start.error().text);
  const auto end = parse_time(request.param("end"));
  if (!end) return invalid_parameter("end", end.error().text);
  if (*end < *start) return invalid_parameter("end", "end timestamp must not be before start time");
  const auto step = parse_step(request.param("step"));
  if (!step) return invalid_parameter("step", step.error().text);
  if (*step <= 0)
    return invalid_parameter("step",
                             "zero or negative query resolution step widths are not accepted. Try a positive integer");
  if ((*end - *start) / *step > kMostPoints)
    return api_error("bad_data",
                     "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query "
                     "resolution (?step=XX)");
  const auto options = engine_options(request, context);
  if (!options) return invalid_parameter("timeout", options.error().text);
  const promql::Parsed parsed = promql::parse(request.param("query"), options->compat);
  if (!parsed.ok()) return api_error("bad_data", parsed.error_text());
  if (const auto type = promql::type_of(*parsed.expr);
      type != promql::ValueType::vector && type != promql::ValueType::scalar)
    return api_error("bad_data",
                     fmt::format("invalid expression type \"{}\" for range query, must be Scalar or instant Vector",
                                 type == promql::ValueType::matrix ? "range vector" : "string"));
  const auto data = context.backend.copy_samples(promql::needs(*parsed.expr, options->lookback_ms), *start, *end);
  if (!data) return api_error(data.error());
  promql::Engine engine(*options);
  auto matrix = engine.range(*parsed.expr, **data, *start, *end, *step);
  if (!matrix) return api_error(matrix.error());
  return query_answer(promql::Value(*std::move(matrix)), engine.annotations());
}

Response api_format_query(const Request& request, const Context& context) {
  const promql::Parsed parsed = promql::parse(request.param("query"), context.options.engine.compat);
  if (!parsed.ok()) return invalid_parameter("query", parsed.error_text());
  return api_success([&](Json& json) { json.string(promql::print(*parsed.expr)); });
}

}  // namespace web
