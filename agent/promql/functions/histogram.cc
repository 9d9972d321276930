// histogram_quantile and, as of 3.x, histogram_fraction over classic buckets. The functions that know native histograms
// only find none here and give nothing.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "go/format.h"
#include "promql/compile.h"

namespace promql {
namespace {

struct Bucket {
  double upper;
  double count;
};

// 3.x takes differences of this relative size between neighbours for rounding.
constexpr double kTolerance = 1e-12;

bool almost_equal(double a, double b) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return true;
  constexpr double kSmallestNormal = 2.2250738585072014e-308;
  const double sum = std::abs(a) + std::abs(b);
  const double difference = std::abs(a - b);
  if (a == 0 || b == 0 || sum < kSmallestNormal) return difference < kTolerance * kSmallestNormal;
  return difference / std::min(sum, 1.7976931348623157e308) < kTolerance;
}

// Counts that fall with the bound come from scrapes of different moments: the larger one holds.
bool make_monotonic_v3(std::vector<Bucket>& buckets) {
  bool forced = false;
  double before = buckets.front().count;
  for (std::size_t i = 1; i < buckets.size(); ++i) {
    double& count = buckets[i].count;
    if (count == before) continue;
    if (almost_equal(before, count)) {
      count = before;
    } else if (count < before) {
      count = before;
      forced = true;
    } else {
      before = count;
    }
  }
  return forced;
}

void make_monotonic_v2(std::vector<Bucket>& buckets) {
  double largest = buckets.front().count;
  for (Bucket& bucket : buckets) {
    if (bucket.count > largest) largest = bucket.count;
    else if (bucket.count < largest) bucket.count = largest;
  }
}

// Sorted by bound, those of one bound added up. False if the last one is not +Inf: this is no histogram then.
bool put_in_order(std::vector<Bucket>& buckets) {
  std::stable_sort(buckets.begin(), buckets.end(), [](const Bucket& a, const Bucket& b) { return a.upper < b.upper; });
  if (buckets.empty() || !(buckets.back().upper == INFINITY)) return false;
  std::size_t kept = 0;
  for (std::size_t i = 1; i < buckets.size(); ++i) {
    if (buckets[i].upper == buckets[kept].upper) buckets[kept].count += buckets[i].count;
    else buckets[++kept] = buckets[i];
  }
  buckets.resize(kept + 1);
  return true;
}

double bucket_quantile(double q, std::vector<Bucket>& buckets, Compat compat, bool& forced) {
  if (std::isnan(q)) return std::nan("");
  if (q < 0) return -INFINITY;
  if (q > 1) return INFINITY;
  if (!put_in_order(buckets)) return std::nan("");
  if (compat == Compat::v3) forced |= make_monotonic_v3(buckets);
  else make_monotonic_v2(buckets);

  if (buckets.size() < 2) return std::nan("");
  const double observations = buckets.back().count;
  if (observations == 0) return std::nan("");
  double rank = q * observations;
  const auto found = std::partition_point(buckets.begin(), buckets.end() - 1,
                                          [rank](const Bucket& bucket) { return !(bucket.count >= rank); });
  const auto at = static_cast<std::size_t>(found - buckets.begin());
  if (at == buckets.size() - 1) return buckets[buckets.size() - 2].upper;
  if (at == 0 && buckets[0].upper <= 0) return buckets[0].upper;
  double start = 0;
  double count = buckets[at].count;
  if (at > 0) {
    start = buckets[at - 1].upper;
    count -= buckets[at - 1].count;
    rank -= buckets[at - 1].count;
  }
  return start + (buckets[at].upper - start) * (rank / count);
}

// How many observations are at most `bound`, if those of a bucket are spread evenly in it. The first bucket begins at 0
// unless its own bound is not above that: what it holds then is taken to lie at its bound, as a quantile has it.
double observed_up_to(double bound, const std::vector<Bucket>& buckets) {
  double lower = buckets.front().upper > 0 ? 0 : -INFINITY;
  double below = 0;
  for (const Bucket& bucket : buckets) {
    if (lower >= bound) return below;
    if (bucket.upper > bound)
      return std::isinf(lower) ? bucket.count
                               : below + (bucket.count - below) * (bound - lower) / (bucket.upper - lower);
    below = bucket.count;
    lower = bucket.upper;
  }
  return below;
}

double bucket_fraction(double from, double to, std::vector<Bucket>& buckets) {
  if (!put_in_order(buckets)) return std::nan("");
  const double observations = buckets.back().count;
  if (observations == 0 || std::isnan(from) || std::isnan(to)) return std::nan("");
  if (from >= to) return 0;
  const auto rank = [&](double bound) { return std::min(observed_up_to(bound, buckets), observations); };
  return (rank(to) - rank(from)) / observations;
}

// What both functions share: the buckets of each step, put together by histogram.
class OverBuckets : public Node {
 public:
  explicit OverBuckets(const Expr& buckets) : inner_at_(remark_position(buckets)), inner_(adopt(compile(buckets))) {}

  bool begin(Evaluation& evaluation, const Steps& steps) override {
    for (Histogram& histogram : histograms_) histogram.seen = false;
    keys_.count_in(evaluation);
    return Node::begin(evaluation, steps);
  }

  void forget() override {
    Node::forget();
    members_.clear();
    histograms_.clear();
    keys_.clear();
  }

  bool vector(Evaluation& evaluation, std::int64_t t, Points& out) override {
    if (!read_arguments(evaluation, t) || !inner_->vector(evaluation, t, in_)) return false;
    collect(evaluation);
    remark_arguments(evaluation);
    out.clear();
    for (const std::uint32_t id : order_) {
      Histogram& histogram = histograms_[id];
      out.push_back({histogram.series, value(evaluation, id, histogram.buckets)});
      histogram.seen = true;
    }
    return check_unique(evaluation, seen_, out);
  }

 protected:
  virtual bool read_arguments(Evaluation& evaluation, std::int64_t t) = 0;
  virtual void remark_arguments(Evaluation&) {}
  virtual double value(Evaluation& evaluation, std::uint32_t id, std::vector<Bucket>& buckets) = 0;
  // Prometheus 3.5 knows the name in the first step in which it sees the histogram, and says "" in the later ones.
  std::string_view name_of(std::uint32_t id) const { return histograms_[id].seen ? "" : keys_[id].metric_name(); }
  std::size_t inner_at() const { return inner_at_; }
  Node& inner() { return *inner_; }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Member {
    std::uint32_t histogram;
    double upper;
  };
  struct Histogram {
    std::uint32_t series;
    std::vector<Bucket> buckets;
    bool seen = false;  // in an earlier step of this query
  };

  void collect(Evaluation& evaluation) {
    for (const std::uint32_t id : order_)
      if (id < histograms_.size()) histograms_[id].buckets.clear();
    order_.clear();
    for (const Point& point : in_) {
      const Member member = member_of(evaluation, point.series);
      if (member.histogram == kNone) {
        if (evaluation.v3()) remark_bad_bound(evaluation, inner_->series()[point.series]);
        continue;
      }
      std::vector<Bucket>& buckets = histograms_[member.histogram].buckets;
      if (buckets.empty()) order_.push_back(member.histogram);
      buckets.push_back({member.upper, point.v});
    }
  }

  // Buckets belong together if all labels but le are equal, the name too; the result has no name.
  Member member_of(const Evaluation& evaluation, std::uint32_t series) {
    while (members_.size() <= series) {
      const model::Labels& labels = inner_->series()[static_cast<std::uint32_t>(members_.size())];
      Member member{kNone, 0};
      if (const auto upper = go::parse_float(labels.get("le"))) {
        member.upper = *upper;
        const model::Labels key = labels.without("le");
        member.histogram = keys_.intern(key);
        if (member.histogram == histograms_.size())
          histograms_.push_back({table_.intern(Nameless{evaluation.v3()}(key)), {}, false});
      }
      members_.push_back(member);
    }
    return members_[series];
  }

  void remark_bad_bound(Evaluation& evaluation, const model::Labels& labels) const {
    evaluation.annotate(
        fmt::format("PromQL warning: bucket label \"le\" is missing or has a malformed value of {} for metric name {}",
                    go::quote(labels.get("le")), go::quote(labels.metric_name())),
        inner_at_);
  }

  std::size_t inner_at_;
  Node* inner_;
  Points in_;
  std::vector<Member> members_;
  std::vector<Histogram> histograms_;
  std::vector<std::uint32_t> order_;
  SeriesTable keys_;
  Uniqueness seen_;
};

class HistogramQuantile final : public OverBuckets {
 public:
  explicit HistogramQuantile(const CallExpr& expr)
      : OverBuckets(*expr.args[1]), q_at_(remark_position(*expr.args[0])), q_node_(adopt(compile(*expr.args[0]))) {}

 protected:
  bool read_arguments(Evaluation& evaluation, std::int64_t t) override { return q_node_->scalar(evaluation, t, q_); }
  void remark_arguments(Evaluation& evaluation) override {
    if (evaluation.v3() && !(q_ >= 0 && q_ <= 1))
      evaluation.annotate(fmt::format("PromQL warning: quantile value should be between 0 and 1, got {}",
                                      go::format_float(q_, 'g', -1)),
                          q_at_);
  }
  double value(Evaluation& evaluation, std::uint32_t id, std::vector<Bucket>& buckets) override {
    bool forced = false;
    const double quantile = bucket_quantile(q_, buckets, evaluation.options->compat, forced);
    if (forced)
      evaluation.annotate(
          fmt::format("PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see "
                      "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile) "
                      "for metric name {}",
                      go::quote(name_of(id))),
          inner_at());
    return quantile;
  }

 private:
  std::size_t q_at_;
  Node* q_node_;
  double q_ = 0;
};

class HistogramFraction final : public OverBuckets {
 public:
  explicit HistogramFraction(const CallExpr& expr)
      : OverBuckets(*expr.args[2]), lower_(adopt(compile(*expr.args[0]))), upper_(adopt(compile(*expr.args[1]))) {}

  // In 2.x it finds native histograms only.
  bool vector(Evaluation& evaluation, std::int64_t t, Points& out) override {
    if (evaluation.v3()) return OverBuckets::vector(evaluation, t, out);
    const bool fine = read_arguments(evaluation, t) && inner().vector(evaluation, t, out);
    out.clear();
    return fine;
  }

 protected:
  bool read_arguments(Evaluation& evaluation, std::int64_t t) override {
    return lower_->scalar(evaluation, t, from_) && upper_->scalar(evaluation, t, to_);
  }
  double value(Evaluation&, std::uint32_t, std::vector<Bucket>& buckets) override {
    return bucket_fraction(from_, to_, buckets);
  }

 private:
  Node* lower_;
  Node* upper_;
  double from_ = 0, to_ = 0;
};

// Evaluates its argument for its errors and drops what is no native histogram: everything.
class Nothing final : public Node {
 public:
  explicit Nothing(NodePtr inner) : inner_(adopt(std::move(inner))) {}
  bool vector(Evaluation& evaluation, std::int64_t t, Points& out) override {
    if (!inner_->vector(evaluation, t, out)) return false;
    out.clear();
    return true;
  }

 private:
  Node* inner_;
};

}  // namespace

NodePtr make_histogram_call(const CallExpr& expr) {
  if (expr.function->name == "histogram_quantile") return std::make_unique<HistogramQuantile>(expr);
  if (expr.function->name == "histogram_fraction") return std::make_unique<HistogramFraction>(expr);
  return std::make_unique<Nothing>(compile(*expr.args.back()));
}

}  // namespace promql
