#include "promql/selector.h"

#include <algorithm>

namespace promql {
namespace {

// More than this is given back after an evaluation: a dashboard's week of samples must not stay for ever.
constexpr std::size_t kKeptSamples = 4096;

void drop_stale(std::vector<model::Sample>& samples) {
  const auto stale = [](const model::Sample& sample) { return model::is_stale(sample.v); };
  samples.erase(std::remove_if(samples.begin(), samples.end(), stale), samples.end());
}

void recycle(std::vector<model::Sample>& samples) {
  if (samples.capacity() > kKeptSamples) samples = {};
  else samples.clear();
}

}  // namespace

namespace {

// The length that a part of the expression has in this query. False after an error.
bool resolve(Evaluation& evaluation, const SharedDurationExpr& formula, Sign sign, std::int64_t& ms) {
  if (!formula) return true;
  const auto length = evaluate(*formula, evaluation.times(), sign);
  if (!length) return evaluation.fail(length.error().kind, length.error().text);
  ms = *length;
  return true;
}

}  // namespace

bool Shift::bind(Evaluation& evaluation, const Steps& steps) {
  if (!resolve(evaluation, formula_, Sign::any, offset_ms_)) return false;
  base_ = 0;
  fixed_ = at_.kind != At::Kind::none;
  if (at_.kind == At::Kind::instant) base_ = at_.t;
  if (at_.kind == At::Kind::start) base_ = evaluation.start;
  if (at_.kind == At::Kind::end) base_ = evaluation.end;
  sliding_ = fixed_ && slides_in_v2_ && !evaluation.v3();
  if (sliding_) {
    limit_ = base_ - offset_ms_;
    fixed_ = false;
    base_ -= steps.start;
  }
  return true;
}

bool SelectedSeries::prepare(Evaluation& evaluation, bool& changed) {
  const std::vector<SeriesRef> found = evaluation.data->select(matchers_);
  const bool same =
      found.size() == ids_.size() && std::equal(found.begin(), found.end(), ids_.begin(),
                                                [](const SeriesRef& ref, std::uint64_t id) { return ref.id == id; });
  bool same_labels = same;
  for (std::uint32_t i = 0; same_labels && i < found.size(); ++i) same_labels = found[i].labels == table_[i];
  if (!evaluation.hold_places(found.size())) return false;
  if (same_labels) return true;
  changed = true;
  ids_.clear();
  table_.clear();
  samples_.clear();
  for (const SeriesRef& ref : found) {
    ids_.push_back(ref.id);
    table_.append(ref.labels);
  }
  return true;
}

bool SelectedSeries::load(Evaluation& evaluation, std::int64_t from, std::int64_t to) {
  samples_.resize(ids_.size());
  sliding_.resize(ids_.size());
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    if (!evaluation.tick()) return false;
    recycle(samples_[i]);
    sliding_[i].restart();
    evaluation.data->read(ids_[i], from, to, samples_[i]);
    if (!evaluation.hold(samples_[i].size())) return false;
  }
  return true;
}

SelectorNode::SelectorNode(const SelectorExpr& expr, Yields yields)
    : selected_(expr),
      shift_(expr.at, expr.offset_ms, expr.offset_formula),
      yields_(yields),
      edges_(yields == Yields::value && expr.edges == Edges::smoothed ? Edges::smoothed : Edges::plain) {}

bool SelectorNode::begin(Evaluation& evaluation, const Steps& steps) {
  if (!shift_.bind(evaluation, steps)) return false;
  loaded_ = !steps.single() && !shift_.fixed();
  kept_ = false;
  if (!loaded_) return true;
  const std::int64_t behind = edges_ == Edges::smoothed ? evaluation.options->lookback_ms : 0;
  if (!selected_.load(evaluation, shift_(steps.start) - evaluation.options->lookback_ms + (evaluation.v3() ? 1 : 0),
                      shift_(steps.end) + behind))
    return false;
  if (edges_ == Edges::smoothed)
    for (std::size_t i = 0; i < selected_.size(); ++i) drop_stale(selected_.mutable_samples(i));
  return true;
}

bool SelectorNode::smoothed(Evaluation& evaluation, std::size_t i, std::int64_t t, model::Sample& out) {
  const std::int64_t lookback = evaluation.options->lookback_ms;
  std::span<const model::Sample> around;
  if (loaded_) {
    around = selected_.sliding(i).at(selected_.samples(i), t - lookback + 1, t + lookback);
  } else {
    evaluation.scratch.clear();
    evaluation.data->read(selected_.id(i), t - lookback + 1, t + lookback, evaluation.scratch);
    drop_stale(evaluation.scratch);
    around = evaluation.scratch;
  }
  const auto next = std::find_if(around.begin(), around.end(), [&](const auto& sample) { return sample.t >= t; });
  if (next == around.begin() && (next == around.end() || next->t != t)) return false;
  const bool between = next != around.end() && next->t != t;
  out = {t, between ? value_between(*(next - 1), *next, t, false) : (next == around.end() ? next - 1 : next)->v};
  return true;
}

void SelectorNode::push(Evaluation& evaluation, std::size_t i, const model::Sample& sample, Points& out) {
  if (model::is_stale(sample.v)) return;
  evaluation.count(1);
  const auto series = static_cast<std::uint32_t>(i);
  if (yields_ == Yields::value) {
    out.push_back({series, sample.v});
    return;
  }
  const std::uint32_t id = without_name_.at(series, selected_.table(), table_, Nameless{evaluation.v3()});
  out.push_back({id, static_cast<double>(sample.t) / 1e3});
}

bool SelectorNode::vector(Evaluation& evaluation, std::int64_t t, Points& out) {
  if (kept_) {
    out = found_;
    evaluation.count(out.size());
    return true;
  }
  out.clear();
  std::int64_t at = shift_(t);
  // The lookback is closed on its old side in 2.x and open in 3.x.
  const std::int64_t lookback = evaluation.options->lookback_ms - (evaluation.v3() ? 1 : 0);
  std::int64_t not_before = at - lookback;
  if (yields_ == Yields::timestamp && shift_.fixed()) {
    // Prometheus' timestamp() of a selector with @ forgets the offset, but has read only what the offset asks for.
    not_before = std::max(not_before, shift_.at_modifier() - lookback);
    at = std::min(at, shift_.at_modifier());
  }
  model::Sample sample;
  for (std::size_t i = 0; i < selected_.size(); ++i) {
    if (!evaluation.tick()) return false;
    if (edges_ == Edges::smoothed) {
      if (smoothed(evaluation, i, at, sample)) push(evaluation, i, sample, out);
    } else if (loaded_) {
      const auto window = selected_.sliding(i).at(selected_.samples(i), not_before, at);
      if (!window.empty()) push(evaluation, i, window.back(), out);
    } else if (evaluation.data->last_at(selected_.id(i), not_before, at, sample)) {
      push(evaluation, i, sample, out);
    }
  }
  if (yields_ == Yields::timestamp && without_name_.merges(table_) && !check_unique(evaluation, seen_, out))
    return false;
  kept_ = shift_.fixed();
  if (kept_) found_ = out;
  return true;
}

namespace {

class RangeSelector final : public RangeSource {
 public:
  RangeSelector(const MatrixExpr& expr, Around around)
      : selected_(expr.selector()),
        shift_(expr.selector().at, expr.selector().offset_ms, expr.selector().offset_formula),
        range_ms_(expr.range_ms),
        range_formula_(expr.range_formula),
        edges_(expr.selector().edges) {
    if (around == Around::varying) shift_.slide_in_v2();
  }

  bool prepare(Evaluation& evaluation, bool& changed) override { return selected_.prepare(evaluation, changed); }
  void forget() override {}
  const SeriesTable& series() const override { return selected_.table(); }
  Bounds bounds(std::int64_t t) const override { return {shift_(t) - range_ms_, shift_(t)}; }
  Edges edges() const override { return edges_; }

  bool begin(Evaluation& evaluation, const Steps& steps) override {
    if (!shift_.bind(evaluation, steps)) return false;
    if (!resolve(evaluation, range_formula_, Sign::positive, range_ms_)) return false;
    open_ = evaluation.v3() ? 1 : 0;
    in_front_ = edges_ == Edges::plain ? 0 : evaluation.options->lookback_ms;
    behind_ = edges_ == Edges::smoothed ? evaluation.options->lookback_ms : 0;
    loaded_ = !steps.single();
    if (!loaded_) return true;
    if (!selected_.load(evaluation, bounds(steps.start).from - in_front_ + open_, shift_.newest(steps.end) + behind_))
      return false;
    for (std::size_t i = 0; i < selected_.size(); ++i) drop_stale(selected_.mutable_samples(i));
    return true;
  }

  bool window(Evaluation& evaluation, std::uint32_t i, std::int64_t t, std::span<const model::Sample>& out) override {
    const auto [start, end] = bounds(t);
    const std::int64_t from = start - in_front_;
    const std::int64_t to = end + behind_;
    if (!evaluation.tick()) return false;
    if (loaded_) {
      out = selected_.sliding(i).at(selected_.samples(i), from + open_, to);
      evaluation.count(out.size());
      return true;
    }
    std::vector<model::Sample>& scratch = evaluation.scratch;
    scratch.clear();
    evaluation.data->read(selected_.id(i), from + open_, to, scratch);
    drop_stale(scratch);
    out = scratch;
    evaluation.count(out.size());
    return scratch.size() <= evaluation.options->max_samples || evaluation.hold(scratch.size());
  }

 private:
  SelectedSeries selected_;
  Shift shift_;
  std::int64_t range_ms_;
  SharedDurationExpr range_formula_;
  std::int64_t open_ = 0;  // 1 if the window's start does not belong to it
  Edges edges_;
  std::int64_t in_front_ = 0, behind_ = 0;  // of the window, for its edges
  bool loaded_ = false;
};

class Subquery final : public RangeSource {
 public:
  Subquery(const SubqueryExpr& expr, NodePtr inner, Around around)
      : inner_(std::move(inner)),
        shift_(expr.at, expr.offset_ms, expr.offset_formula),
        range_ms_(expr.range_ms),
        step_ms_(expr.step_ms),
        range_formula_(expr.range_formula),
        step_formula_(expr.step_formula) {
    if (around == Around::varying) shift_.slide_in_v2();
  }

  bool prepare(Evaluation& evaluation, bool& changed) override { return inner_->prepare(evaluation, changed); }
  void forget() override {
    inner_->forget();
    samples_.clear();
  }
  const SeriesTable& series() const override { return inner_->series(); }
  Bounds bounds(std::int64_t t) const override { return {shift_(t) - range_ms_, shift_(t)}; }

  bool begin(Evaluation& evaluation, const Steps& steps) override {
    if (!shift_.bind(evaluation, steps)) return false;
    if (!resolve(evaluation, range_formula_, Sign::positive, range_ms_)) return false;
    if (!resolve(evaluation, step_formula_, Sign::positive, step_ms_)) return false;
    open_ = evaluation.v3() ? 1 : 0;
    for (std::vector<model::Sample>& samples : samples_) recycle(samples);
    for (Sliding& sliding : sliding_) sliding.restart();

    // Inner steps lie on multiples of the step, counted from the epoch.
    Steps inner;
    inner.step = step_ms_ > 0 ? step_ms_ : std::max<std::int64_t>(1, evaluation.options->default_step_ms);
    const std::int64_t from = bounds(steps.start).from;
    inner.start = inner.step * (from / inner.step);
    if (inner.start < from + open_) inner.start += inner.step;
    inner.end = shift_.newest(steps.end);
    if (inner.start > inner.end) return true;
    inner.end -= (inner.end - inner.start) % inner.step;
    ++evaluation.in_subqueries;
    const bool fine = evaluate(evaluation, inner);
    --evaluation.in_subqueries;
    return fine;
  }

  bool window(Evaluation& evaluation, std::uint32_t i, std::int64_t t, std::span<const model::Sample>& out) override {
    out = {};
    if (!evaluation.tick()) return false;
    if (i >= samples_.size()) return true;
    if (sliding_.size() < samples_.size()) sliding_.resize(samples_.size());
    const auto [from, to] = bounds(t);
    out = sliding_[i].at(samples_[i], from + open_, to);
    evaluation.count(out.size());
    return true;
  }

 private:
  bool evaluate(Evaluation& evaluation, const Steps& steps) {
    if (!inner_->begin(evaluation, steps)) return false;
    for (std::int64_t t = steps.start; t <= steps.end; t += steps.step) {
      if (!evaluation.still_wanted() || !inner_->vector(evaluation, t, points_) || !evaluation.hold(points_.size()))
        return false;
      for (const Point& point : points_) {
        if (samples_.size() <= point.series) samples_.resize(point.series + 1);
        samples_[point.series].push_back({t, point.v});
      }
    }
    return true;
  }

  NodePtr inner_;
  Shift shift_;
  std::int64_t range_ms_;
  std::int64_t step_ms_;
  SharedDurationExpr range_formula_, step_formula_;
  std::int64_t open_ = 0;
  Points points_;
  std::vector<std::vector<model::Sample>> samples_;  // by the inner node's series
  std::vector<Sliding> sliding_;
};

}  // namespace

RangeSourcePtr make_range_selector(const MatrixExpr& expr, Around around) {
  return std::make_unique<RangeSelector>(expr, around);
}
RangeSourcePtr make_subquery(const SubqueryExpr& expr, NodePtr inner, Around around) {
  return std::make_unique<Subquery>(expr, std::move(inner), around);
}

}  // namespace promql
