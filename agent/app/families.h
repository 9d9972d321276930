// A metrics page in the making, and the help of the measurements that probe types make.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/metric_family.h"
#include "model/outcome.h"

namespace app {

// Families by name and type while they are filled; points keep the order in which they come.
class Families {
 public:
  // `suffix` is a literal.
  void add(std::string_view name, std::string_view help, model::Labels labels, double value,
           model::MetricType type = model::MetricType::gauge, std::string_view suffix = "") {
    const auto [at, is_new] = by_name_.try_emplace({std::string(name), type});
    if (is_new) at->second = {std::string(name), std::string(help), type, {}};
    at->second.points.push_back({suffix, std::move(labels), value});
  }
  std::vector<model::MetricFamily> take() {
    std::vector<model::MetricFamily> out;
    for (auto& [key, family] : by_name_) out.push_back(std::move(family));
    return out;
  }

 private:
  std::map<std::pair<std::string, model::MetricType>, model::MetricFamily> by_name_;
};

// What every probe has.
struct Described {
  std::string_view name, help;
};
inline constexpr Described kSuccess{"probe_success",
                                    "1 if the last run of the probe that could look found its target working."};
inline constexpr Described kDuration{"probe_duration_seconds", "How long the last run of the probe took."};

// Where a measurement stands on a page; views into it and literals.
struct MeasuredName {
  std::string_view family, suffix, help;
  model::MetricType type;
};
MeasuredName name_of(const model::Measurement& measurement);

// probe_success, probe_duration_seconds and what the run measured. The names are the blackbox exporter's, the words are
// ours.
void add_outcome(Families& families, const model::Outcome& outcome, const model::Labels& labels);

}  // namespace app
