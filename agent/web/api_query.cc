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

// Prometheus 2 knows no limit here.
bool truncate(promql::Value& value, std::size_t limit) {
  const auto cut = [&](auto& list) {
    if (list.size() <= limit) return false;
    list.resize(limit);
    return true;
  };
  if (auto* vector = std::get_if<promql::Vector>(&value)) return cut(*vector);
  if (auto* matrix = std::get_if<promql::Matrix>(&value)) return cut(*matrix);
  return false;
}

Response query_answer(promql::Value value, std::size_t limit, const promql::Engine& engine, const Request& request) {
  promql::Remarks remarks = promql::shown(engine.annotations(), request.param("query"));
  if (truncate(value, limit)) remarks.warnings.emplace_back(kTruncated);
  return api_success(
      [&](Json& json) {
        json.object([&] {
          json.key("resultType").string(promql::to_string(promql::type_of(value)));
          json.key("result");
          std::visit([&](const auto& result) { write_result(result, json); }, value);
        });
      },
      remarks);
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

// One query from its turn at the gate to its end, which is counted. `run` has the engine's options, from whose time the
// wait is taken.
template <typename Run>
Response take_turn(promql::EngineOptions options, const Request& request, const Context& context, Run run) {
  std::size_t limit = ~std::size_t{0};
  if (options.compat == promql::Compat::v3) {
    const auto wanted = limit_param(request);
    if (!wanted) return invalid_parameter("limit", wanted.error().text);
    limit = *wanted;
  }
  const base::Instant start = base::Clock::now();
  const auto end = [&](const base::Error& error) {
    using End = QueryGate::End;
    context.gate.ended(error.kind == base::Kind::timeout     ? End::timeout
                       : error.kind == base::Kind::cancelled ? End::canceled
                                                             : End::error);
    return api_error(error);
  };
  const auto turn = context.gate.enter(start + options.timeout, request.abandoned, context.stopping);
  if (!turn) return end(turn.error());
  options.timeout -= std::chrono::duration_cast<base::Millis>(base::Clock::now() - start);
  promql::Engine engine(options);
  base::Result<promql::Value> value = run(engine);
  if (!value) return end(value.error());
  context.gate.ended(QueryGate::End::success);
  return query_answer(*std::move(value), limit, engine, request);
}

}  // namespace

Response api_query(const Request& request, const Context& context) {
  const auto time = time_param(request, "time", base::to_ms(context.now()));
  if (!time) return invalid_parameter("time", time.error().text);
  const auto options = engine_options(request, context);
  if (!options) return invalid_parameter("timeout", options.error().text);
  const promql::Parsed parsed = promql::parse(request.param("query"), options->compat);
  if (!parsed.ok()) return invalid_parameter("query", parsed.error_text());
  return take_turn(*options, request, context, [&](promql::Engine& engine) -> base::Result<promql::Value> {
    TRY(const auto data, context.backend.copy_samples(promql::needs(*parsed.expr, options->lookback_ms), *time, *time));
    return engine.instant(*parsed.expr, *data, *time);
  });
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
  return take_turn(*options, request, context, [&](promql::Engine& engine) -> base::Result<promql::Value> {
    TRY(const auto data, context.backend.copy_samples(promql::needs(*parsed.expr, options->lookback_ms), *start, *end));
    TRY(promql::Matrix matrix, engine.range(*parsed.expr, *data, *start, *end, *step));
    return promql::Value(std::move(matrix));
  });
}

Response api_format_query(const Request& request, const Context& context) {
  const promql::Parsed parsed = promql::parse(request.param("query"), context.options.engine.compat);
  if (!parsed.ok()) return invalid_parameter("query", parsed.error_text());
  return api_success([&](Json& json) { json.string(promql::print(*parsed.expr)); });
}

}  // namespace web
