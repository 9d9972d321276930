#include "promql/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "promql/ast.h"
#include "promql/compile.h"
#include "promql/node.h"

namespace promql {
namespace {

// Compiled expressions that are kept. A rule engine has hundreds; a worker that answers ad-hoc queries gets ever new
// ones, which push out the ones not used for longest.
constexpr std::size_t kMaxPlans = 4096;
constexpr std::int64_t kFarthest = std::int64_t{1} << 60;

struct Plan {
  NodePtr root;          // scalar or vector
  RangeSourcePtr range;  // matrix
  const Queryable* data = nullptr;
  std::uint64_t generation = 0;
  std::uint64_t last_use = 0;
};

}  // namespace

struct Engine::Rep {
  EngineOptions options;
  std::vector<Annotation> annotations;
  std::unordered_map<std::uint64_t, Plan> plans;
  std::uint64_t uses = 0;
  std::vector<model::Sample> scratch;
  Points points;
  SampleCounts counts;

  // Null, with the evaluation's error, if its series are more than may be held.
  Plan* plan_for(const Expr& expr, Evaluation& evaluation);
  void drop_oldest();
  Evaluation start(const Queryable& data, std::int64_t from, std::int64_t to, std::int64_t step);
  base::Result<Matrix> matrix(Plan& plan, Evaluation& evaluation, std::int64_t t);
  // `result`: samples of the answer that are not among those that are held.
  void end(Evaluation& evaluation, std::size_t result);
};

void Engine::Rep::drop_oldest() {
  std::vector<std::uint64_t> ages;
  for (const auto& [id, plan] : plans) ages.push_back(plan.last_use);
  const auto middle = ages.begin() + static_cast<std::ptrdiff_t>(ages.size() / 2);
  std::nth_element(ages.begin(), middle, ages.end());
  std::erase_if(plans, [limit = *middle](const auto& entry) { return entry.second.last_use < limit; });
}

Plan* Engine::Rep::plan_for(const Expr& expr, Evaluation& evaluation) {
  if (plans.size() >= kMaxPlans && !plans.contains(expr.id)) drop_oldest();
  const auto [found, is_new] = plans.try_emplace(expr.id);
  Plan& plan = found->second;
  plan.last_use = ++uses;
  if (is_new) {
    if (expr.type == ValueType::matrix) plan.range = compile_range(expr);
    else plan.root = compile(expr);
  }
  const std::uint64_t generation = evaluation.data->generation();
  if (!is_new && plan.data == evaluation.data && plan.generation == generation) return &plan;
  bool changed = false;
  const bool fits = (!plan.root || plan.root->prepare(evaluation, changed)) &&
                    (!plan.range || plan.range->prepare(evaluation, changed));
  if (changed && plan.root) plan.root->forget();
  if (changed && plan.range) plan.range->forget();
  plan.data = fits ? evaluation.data : nullptr;
  plan.generation = generation;
  return fits ? &plan : nullptr;
}

Evaluation Engine::Rep::start(const Queryable& data, std::int64_t from, std::int64_t to, std::int64_t step) {
  annotations.clear();
  counts = {};
  Evaluation evaluation;
  evaluation.data = &data;
  evaluation.options = &options;
  evaluation.annotations = &annotations;
  evaluation.start = from;
  evaluation.end = to;
  evaluation.step = step;
  evaluation.deadline = options.now() + options.timeout;
  evaluation.scratch.swap(scratch);
  return evaluation;
}

void Engine::Rep::end(Evaluation& evaluation, std::size_t result) {
  scratch.swap(evaluation.scratch);
  counts = {evaluation.looked_at, static_cast<std::int64_t>(evaluation.samples + result)};
}

base::Result<Matrix> Engine::Rep::matrix(Plan& plan, Evaluation& evaluation, std::int64_t t) {
  Matrix out;
  const auto failed = [&] { return tl::unexpected<base::Error>(evaluation.error); };
  if (!plan.range->begin(evaluation, {t, t, 1})) return failed();
  std::span<const model::Sample> window;
  for (std::uint32_t i = 0; i < plan.range->series().size(); ++i) {
    if (!plan.range->window(evaluation, i, t, window) || !evaluation.hold(window.size())) return failed();
    std::vector<model::Sample> samples(window.begin(), window.end());
    if (plan.range->edges() != Edges::plain) samples = with_edges(window, plan.range->bounds(t), plan.range->edges());
    if (!samples.empty()) out.push_back({plan.range->series()[i], std::move(samples)});
  }
  std::sort(out.begin(), out.end(), [](const Series& a, const Series& b) { return a.labels < b.labels; });
  return out;
}

Engine::Engine(EngineOptions options) : rep_(std::make_unique<Rep>()) { rep_->options = options; }
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;

base::Result<Value> Engine::instant(const Expr& expr, const Queryable& data, std::int64_t t) {
  if (t > kFarthest || t < -kFarthest) return base::fail(base::Kind::invalid, "the evaluation time is out of range");
  TRY_VOID(check_price(price_of(expr, t, t, 0, rep_->options), rep_->options));
  Evaluation evaluation = rep_->start(data, t, t, 0);
  if (expr.type == ValueType::string) return Value(StringValue{t, as<StringExpr>(unwrapped(expr)).value});
  Plan* const found = rep_->plan_for(expr, evaluation);
  if (found == nullptr) return tl::unexpected<base::Error>(evaluation.error);
  Plan& plan = *found;
  const auto failed = [&] { return tl::unexpected<base::Error>(evaluation.error); };
  if (!evaluation.still_wanted()) return failed();
  if (expr.type == ValueType::matrix) {
    TRY(Matrix matrix, rep_->matrix(plan, evaluation, t));
    rep_->end(evaluation, 0);
    return Value(std::move(matrix));
  }
  if (!plan.root->begin(evaluation, {t, t, 1})) return failed();
  if (expr.type == ValueType::scalar) {
    ScalarValue out{t, 0};
    if (!plan.root->scalar(evaluation, t, out.v)) return failed();
    rep_->end(evaluation, 1);
    return Value(out);
  }
  if (!plan.root->vector(evaluation, t, rep_->points) || !evaluation.hold(0)) return failed();
  rep_->end(evaluation, rep_->points.size());
  const SeriesTable& series = plan.root->series();
  Vector out;
  out.reserve(rep_->points.size());
  for (const Point& point : rep_->points) out.push_back({series[point.series], {t, point.v}});
  return Value(std::move(out));
}

base::Result<Matrix> Engine::range(const Expr& expr, const Queryable& data, std::int64_t start, std::int64_t end,
                                   std::int64_t step) {
  if (expr.type != ValueType::scalar && expr.type != ValueType::vector)
    return base::fail(base::Kind::invalid,
                      fmt::format("invalid expression type \"{}\" for range query, must be Scalar or instant Vector",
                                  expr.type == ValueType::matrix ? "range vector" : "string"));
  if (step <= 0)
    return base::fail(base::Kind::invalid, "zero or negative query resolution step widths are not accepted");
  if (end < start) return base::fail(base::Kind::invalid, "end timestamp must not be before start time");
  if (start < -kFarthest || end > kFarthest || step > kFarthest)
    return base::fail(base::Kind::invalid, "the evaluation time is out of range");
  TRY_VOID(check_price(price_of(expr, start, end, step, rep_->options), rep_->options));
  Evaluation evaluation = rep_->start(data, start, end, step);
  Plan* const found = rep_->plan_for(expr, evaluation);
  if (found == nullptr) return tl::unexpected<base::Error>(evaluation.error);
  Plan& plan = *found;
  const auto failed = [&] { return tl::unexpected<base::Error>(evaluation.error); };
  const Steps steps{start, start + (end - start) / step * step, step};
  if (!plan.root->begin(evaluation, steps)) return failed();
  Matrix all;
  Points& points = rep_->points;
  for (std::int64_t t = steps.start; t <= steps.end; t += step) {
    if (!evaluation.still_wanted()) return failed();
    if (expr.type == ValueType::scalar) {
      points.assign(1, {0, 0});
      if (!plan.root->scalar(evaluation, t, points[0].v)) return failed();
    } else if (!plan.root->vector(evaluation, t, points)) {
      return failed();
    }
    if (!evaluation.hold(points.size())) return failed();
    for (const Point& point : points) {
      if (all.size() <= point.series) all.resize(point.series + 1);
      all[point.series].samples.push_back({t, point.v});
    }
  }
  rep_->end(evaluation, 0);
  if (expr.type == ValueType::vector)
    for (std::uint32_t i = 0; i < all.size(); ++i) all[i].labels = plan.root->series()[i];
  std::erase_if(all, [](const Series& series) { return series.samples.empty(); });
  std::sort(all.begin(), all.end(), [](const Series& a, const Series& b) { return a.labels < b.labels; });
  return all;
}

const std::vector<Annotation>& Engine::annotations() const { return rep_->annotations; }
SampleCounts Engine::sample_counts() const { return rep_->counts; }

}  // namespace promql
