#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "promql/engine.h"
#include "web/api/answer.h"
#include "web/api/query_stats.h"
#include "web/api/query_value.h"
#include "web/routes.h"

namespace web {
namespace {

// As Prometheus: an hour at a third of a second, and no answer too large for a browser.
constexpr std::int64_t kMostPoints = 11'000;

void write_sample(std::int64_t t, double v, encoding::Json& json) {
  json.array([&] {
    json.raw(api_timestamp(t));
    json.string(promql::format_value(v));
  });
}

// Of scalars and strings Prometheus writes the time as Go writes a float, without zeros at the end.
void write_lone(std::int64_t t, std::string_view text, encoding::Json& json) {
  json.array([&] {
    json.raw(fmt::format("{}", static_cast<double>(t) / 1000));
    json.string(text);
  });
}

void write_result(const promql::ScalarValue& scalar, encoding::Json& json) {
  write_lone(scalar.t, promql::format_value(scalar.v), json);
}

void write_result(const promql::StringValue& text, encoding::Json& json) { write_lone(text.t, text.v, json); }

void write_result(const promql::Vector& vector, encoding::Json& json) {
  json.array([&] {
    for (const promql::VectorSample& each : vector)
      json.object([&] {
        json.key("metric").labels(each.labels);
        json.key("value");
        write_sample(each.sample.t, each.sample.v, json);
      });
  });
}

void write_series(const promql::Series& series, encoding::Json& json) {
  json.object([&] {
    json.key("metric").labels(series.labels);
    json.key("values").array([&] {
      for (const model::Sample& sample : series.samples) write_sample(sample.t, sample.v, json);
    });
  });
}

void write_result(const promql::Matrix& matrix, encoding::Json& json) {
  json.array([&] {
    for (const promql::Series& series : matrix) write_series(series, json);
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

// Bytes of an answer: a value with its time, as text, and what a series has beside its labels.
constexpr std::size_t kPointText = 40;
constexpr std::size_t kSeriesText = 64;

std::size_t text_size(const model::Labels& labels) {
  std::size_t bytes = kSeriesText;
  for (const model::Label label : labels) bytes += label.name.size() + label.value.size() + 6;
  return bytes;
}

// What the value takes in memory, and at most, nearly always, as text.
struct Sizes {
  std::size_t memory = 0, text = 0;
};

Sizes sizes_of(const promql::Value& value) {
  Sizes out;
  if (const auto* vector = std::get_if<promql::Vector>(&value))
    for (const promql::VectorSample& each : *vector) {
      out.memory += sizeof each;
      out.text += text_size(each.labels) + kPointText;
    }
  if (const auto* matrix = std::get_if<promql::Matrix>(&value))
    for (const promql::Series& series : *matrix) {
      out.memory += sizeof series + series.samples.capacity() * sizeof(model::Sample);
      out.text += text_size(series.labels) + series.samples.size() * kPointText;
    }
  return out;
}

// Above this a query is heavy: samples that it decodes, steps and points that it computes.
constexpr double kHeavy = 250'000;

// One query of a client: what it may cost, its permit and its memory.
class QueryAsker final : public Asker {
 public:
  QueryAsker(const promql::EngineOptions& options, const promql::Price& price, double steps, promql::ValueType type,
             std::size_t selectors, const Context& context)
      : options_(options),
        price_(price),
        steps_(steps),
        type_(type),
        selectors_(selectors),
        context_(context),
        start_(base::Clock::now()) {}

  base::Result<> still_wanted() override {
    const auto fail = [](base::Kind kind, const char* how) {
      return base::fail(kind, fmt::format("query {} in query queue", how));
    };
    if (context_.stopping && context_.stopping->load()) return fail(base::Kind::cancelled, "was canceled");
    if (base::Clock::now() >= deadline()) return fail(base::Kind::timeout, "timed out");
    if (options_.abandoned && options_.abandoned()) return fail(base::Kind::cancelled, "was canceled");
    return {};
  }

  // Decoded samples, and a point of the result for each series and step, as text: how many there will be nobody knows
  // before. A range vector is its samples.
  base::Result<> admit(const Load& load) override {
    // Each selector is tried on each of them once more.
    if (static_cast<double>(load.series) * static_cast<double>(selectors_) > kMostTrials)
      return base::fail(base::Kind::limit, promql::kTooManySamples);
    const double points = static_cast<double>(load.series) * steps_;
    const double cost = static_cast<double>(load.samples) + points + price_.steps + price_.windows;
    const base::Instant waits = base::Clock::now();
    const auto weight = cost > kHeavy ? QueryGate::Weight::heavy : QueryGate::Weight::light;
    TRY(QueryGate::Permit permit, context_.gate.enter(weight, deadline(), options_.abandoned, context_.stopping));
    permit_.emplace(std::move(permit));
    const auto samples = static_cast<double>(load.samples);
    const auto text = static_cast<double>(kPointText);
    const double bytes = static_cast<double>(load.bytes) +
                         (type_ == promql::ValueType::matrix ? samples * text : samples * kSampleBytes + points * text);
    const double most = static_cast<double>(context_.memory.most());
    TRY(share_, context_.memory.take(static_cast<std::size_t>(std::min(bytes, most)), deadline(), options_.abandoned,
                                     context_.stopping));
    queued_ = base::Clock::now() - waits;
    read_ = load.bytes;
    return {};
  }

  base::Instant deadline() const { return start_ + options_.timeout; }
  // Of what the evaluation holds beside the samples as they were read.
  bool reserve(std::size_t bytes) { return share_.grow_to(read_ + bytes); }
  AnswerMemory::Share& share() { return share_; }
  base::Clock::duration queued() const { return queued_; }
  base::Clock::duration elapsed() const { return base::Clock::now() - start_; }  // since the query came

 private:
  static constexpr double kSampleBytes = 24;
  static constexpr double kMostTrials = 50e6;
  promql::EngineOptions options_;
  promql::Price price_;
  double steps_;
  promql::ValueType type_;
  std::size_t selectors_;
  const Context& context_;
  base::Instant start_;
  base::Clock::duration queued_{};
  std::optional<QueryGate::Permit> permit_;
  AnswerMemory::Share share_;
  std::size_t read_ = 0;
};

// As text, in place of the value, with the stats if there are any: what is written is freed at once, so that both are
// never whole at a time.
base::Result<Response> query_answer(promql::Value value, const promql::Annotations& annotations,
                                    const QueryStats* stats, AnswerMemory::Share& share) {
  Sizes sizes = sizes_of(value);
  bool fits = share.grow_to(sizes.memory);
  Response response = api_success(
      [&](encoding::Json& json) {
        json.reserve(sizes.text);
        json.object([&] {
          json.key("resultType").string(promql::to_string(promql::type_of(value)));
          json.key("result");
          auto* matrix = std::get_if<promql::Matrix>(&value);
          if (!matrix) std::visit([&](const auto& result) { write_result(result, json); }, value);
          else
            json.array([&] {
              for (promql::Series& series : *matrix) {
                if (!fits) return;
                write_series(series, json);
                sizes.memory -= series.samples.capacity() * sizeof(model::Sample);
                series = {};
                fits = share.grow_to(sizes.memory + json.text().size());
              }
            });
          if (stats) write_query_stats(*stats, json);
        });
      },
      annotations);
  if (!fits || !share.resize(response.body.size())) return base::fail(base::Kind::limit, promql::kTooManySamples);
  response.share = std::move(share);
  return response;
}

// What a query evaluates, and when; without a step once, at its end.
struct Question {
  const promql::Expr& expr;
  QuerySpan span;
};

// A value with its permit and its bytes, which are given back with it.
struct Evaluated {
  promql::Value value;
  promql::Annotations annotations;
  QueryStats stats;
  std::unique_ptr<QueryAsker> asker;
};

// Of a query that fails; it is counted.
base::Error ended(base::Error error, const Context& context) {
  using End = QueryGate::End;
  context.gate.ended(error.kind == base::Kind::timeout     ? End::timeout
                     : error.kind == base::Kind::cancelled ? End::canceled
                                                           : End::error);
  return error;
}

base::Result<promql::Value> run_engine(promql::Engine& engine, const promql::Queryable& data,
                                       const Question& question) {
  const QuerySpan& span = question.span;
  if (span.step == 0) return engine.instant(question.expr, data, span.end);
  TRY(promql::Matrix matrix, engine.range(question.expr, data, span.start, span.end, span.step));
  return promql::Value(std::move(matrix));
}

base::Result<Evaluated> evaluate(const promql::EngineOptions& options, const Question& question, const Request& request,
                                 const Context& context) {
  const QuerySpan& span = question.span;
  const promql::Price price = promql::price_of(question.expr, span.start, span.end, span.step, options);
  TRY_VOID(promql::check_price(price, options));
  const double steps = static_cast<double>((span.end - span.start) / std::max<std::int64_t>(span.step, 1) + 1);
  const std::vector<promql::Needs> needs =
      promql::needs(question.expr, options.lookback_ms, {span.step, span.end - span.start});
  Evaluated out;
  out.asker =
      std::make_unique<QueryAsker>(options, price, steps, promql::type_of(question.expr), needs.size(), context);
  QueryAsker& asker = *out.asker;
  std::unique_ptr<promql::Queryable> data = std::make_unique<promql::MemoryQueryable>();
  if (needs.empty()) {
    TRY_VOID(asker.admit({}));
  } else {
    TRY(data, context.backend.read_samples(needs, span.start, span.end, asker));
  }
  QueryStats& stats = out.stats;
  stats.queued = asker.queued();
  stats.prepared = asker.elapsed() - stats.queued;
  promql::EngineOptions own = options;
  own.timeout = std::chrono::duration_cast<base::Millis>(asker.deadline() - base::Clock::now());
  own.reserve = [&asker](std::size_t bytes) { return asker.reserve(bytes); };
  promql::Engine engine(std::move(own));
  TRY(out.value, run_engine(engine, *data, question));
  stats.whole = asker.elapsed() - stats.queued;
  stats.evaluated = stats.whole - stats.prepared;
  stats.samples = engine.sample_counts();
  out.annotations = promql::format_annotations(engine.annotations(), request.param("query"));
  return out;
}

// One query from its price to its end, which is counted.
Response answer_query(const promql::EngineOptions& options, const Question& question, const Request& request,
                      const Context& context) {
  std::size_t limit = ~std::size_t{0};
  if (options.compat == promql::Compat::v3) {
    const auto wanted = limit_param(request);
    if (!wanted) return invalid_parameter("limit", wanted.error().text);
    limit = *wanted;
  }
  base::Result<Evaluated> found = evaluate(options, question, request, context);
  if (!found) return api_error(ended(found.error(), context));
  if (truncate(found->value, limit)) found->annotations.warnings.emplace_back(kTruncated);
  base::Result<Response> response =
      query_answer(std::move(found->value), found->annotations,
                   request.param("stats").empty() ? nullptr : &found->stats, found->asker->share());
  if (!response) return api_error(ended(response.error(), context));
  context.gate.ended(QueryGate::End::success);
  return *std::move(response);
}

}  // namespace

Response api_query(const Request& request, const Context& context) {
  const auto time = time_param(request, "time", base::to_ms(context.now()), context.options.engine.compat);
  if (!time) return invalid_parameter("time", time.error().text);
  const auto options = engine_options(request, context);
  if (!options) return invalid_parameter("timeout", options.error().text);
  const promql::Parsed parsed = promql::parse(request.param("query"), options->compat);
  if (!parsed.ok()) return invalid_query(parsed, request, options->compat);
  return answer_query(*options, {*parsed.expr, {*time, *time, 0}}, request, context);
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
    return api_error(ErrorType::bad_data,
                     "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query "
                     "resolution (?step=XX)");
  const auto options = engine_options(request, context);
  if (!options) return invalid_parameter("timeout", options.error().text);
  const promql::Parsed parsed = promql::parse(request.param("query"), options->compat);
  const bool names_parameter = options->compat == promql::Compat::v3;
  if (!parsed.ok())
    return names_parameter ? invalid_query(parsed, request, options->compat)
                           : api_error(ErrorType::bad_data, parsed.error_text());
  if (const auto type = promql::type_of(*parsed.expr);
      type != promql::ValueType::vector && type != promql::ValueType::scalar) {
    const std::string text =
        fmt::format("invalid expression type \"{}\" for range query, must be Scalar or instant Vector",
                    type == promql::ValueType::matrix ? "range vector" : "string");
    return names_parameter ? invalid_parameter("query", text) : api_error(ErrorType::bad_data, text);
  }
  return answer_query(*options, {*parsed.expr, {*start, *end, *step}}, request, context);
}

base::Result<QueryValue> query_value(const promql::Expr& expr, const QuerySpan& span, std::size_t most,
                                     const Request& request, const Context& context) {
  TRY(const promql::EngineOptions options, engine_options(request, context));
  base::Result<Evaluated> found = evaluate(options, {expr, span}, request, context);
  if (!found) return tl::unexpected<base::Error>(ended(found.error(), context));
  context.gate.ended(QueryGate::End::success);
  QueryValue out{std::move(found->value), 0, std::move(found->annotations.warnings)};
  if (const auto* vector = std::get_if<promql::Vector>(&out.value)) out.series = vector->size();
  if (const auto* matrix = std::get_if<promql::Matrix>(&out.value)) out.series = matrix->size();
  truncate(out.value, most);
  return out;
}

Response api_format_query(const Request& request, const Context& context) {
  const promql::Parsed parsed = promql::parse(request.param("query"), context.options.engine.compat);
  if (!parsed.ok()) return invalid_query(parsed, request, context.options.engine.compat);
  return api_success([&](encoding::Json& json) { json.string(promql::print(*parsed.expr)); });
}

}  // namespace web
