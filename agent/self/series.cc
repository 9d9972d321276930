#include "self/series.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>

namespace self {
namespace {

using model::Labels;
using model::MetricType;

std::string without(std::string_view name, std::string_view suffix) {
  if (name.ends_with(suffix)) name.remove_suffix(suffix.size());
  return std::string(name);
}

}  // namespace

std::string number(double value) {
  if (std::isinf(value)) return "+Inf";
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

std::string family_name(const Metric& metric, MetricType type) {
  if (type == MetricType::counter) return without(metric.name, "_total");
  return type == MetricType::info ? without(metric.name, "_info") : metric.name;
}

MetricType type_of(const prometheus::Counter*, const Metric&) { return MetricType::counter; }
MetricType type_of(const prometheus::Gauge*, const Metric& metric) {
  return std::string_view(metric.name).ends_with("_info") ? MetricType::info : MetricType::gauge;
}
MetricType type_of(const Buckets*, const Metric&) { return MetricType::histogram; }

Shown shown(const prometheus::Counter&, MetricType, const Labels& labels) { return {{"_total", labels}}; }
Shown shown(const prometheus::Gauge&, MetricType type, const Labels& labels) {
  return {{type == MetricType::info ? "_info" : "", labels}};
}
Shown shown(const Buckets& buckets, MetricType, const Labels& labels) {
  Shown out;
  out.reserve(buckets.counts().size() + 2);
  for (const double bound : buckets.bounds()) out.emplace_back("_bucket", labels.with("le", number(bound)));
  out.emplace_back("_bucket", labels.with("le", number(std::numeric_limits<double>::infinity())));
  out.emplace_back("_sum", labels);
  out.emplace_back("_count", labels);
  return out;
}

void add_values(const prometheus::Counter& counter, std::vector<double>& to) { to.push_back(counter.Value()); }
void add_values(const prometheus::Gauge& gauge, std::vector<double>& to) { to.push_back(gauge.Value()); }
void add_values(const Buckets& buckets, std::vector<double>& to) {
  std::uint64_t so_far = 0;
  for (const std::uint64_t count : buckets.counts()) to.push_back(static_cast<double>(so_far += count));
  to.push_back(buckets.sum());
  to.push_back(static_cast<double>(so_far));
}

}  // namespace self
