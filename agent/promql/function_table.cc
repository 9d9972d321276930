#include "promql/function_table.h"

#include <algorithm>
#include <iterator>

namespace promql {
namespace {

constexpr ValueType S = ValueType::scalar;
constexpr ValueType V = ValueType::vector;
constexpr ValueType M = ValueType::matrix;
constexpr ValueType T = ValueType::string;

// Sorted by name.
constexpr Function kFunctions[] = {
    {"abs", V, {V}, 1, 0},
    {"absent", V, {V}, 1, 0},
    {"absent_over_time", V, {M}, 1, 0},
    {"acos", V, {V}, 1, 0},
    {"acosh", V, {V}, 1, 0},
    {"asin", V, {V}, 1, 0},
    {"asinh", V, {V}, 1, 0},
    {"atan", V, {V}, 1, 0},
    {"atanh", V, {V}, 1, 0},
    {"avg_over_time", V, {M}, 1, 0},
    {"ceil", V, {V}, 1, 0},
    {"changes", V, {M}, 1, 0},
    {"clamp", V, {V, S, S}, 3, 0},
    {"clamp_max", V, {V, S}, 2, 0},
    {"clamp_min", V, {V, S}, 2, 0},
    {"cos", V, {V}, 1, 0},
    {"cosh", V, {V}, 1, 0},
    {"count_over_time", V, {M}, 1, 0},
    {"day_of_month", V, {V}, 1, 1},
    {"day_of_week", V, {V}, 1, 1},
    {"day_of_year", V, {V}, 1, 1},
    {"days_in_month", V, {V}, 1, 1},
    {"deg", V, {V}, 1, 0},
    {"delta", V, {M}, 1, 0},
    {"deriv", V, {M}, 1, 0},
    {"exp", V, {V}, 1, 0},
    {"first_over_time", V, {M}, 1, 0, false, true},
    {"floor", V, {V}, 1, 0},
    {"histogram_avg", V, {V}, 1, 0, false, true},
    {"histogram_count", V, {V}, 1, 0},
    {"histogram_fraction", V, {S, S, V}, 3, 0},
    {"histogram_quantile", V, {S, V}, 2, 0},
    {"histogram_stddev", V, {V}, 1, 0, false, true},
    {"histogram_stdvar", V, {V}, 1, 0, false, true},
    {"histogram_sum", V, {V}, 1, 0},
    {"holt_winters", V, {M, S, S}, 3, 0, true, false},
    {"hour", V, {V}, 1, 1},
    {"idelta", V, {M}, 1, 0},
    {"increase", V, {M}, 1, 0},
    {"irate", V, {M}, 1, 0},
    {"label_join", V, {V, T, T, T}, 4, -1},
    {"label_replace", V, {V, T, T, T, T}, 5, 0},
    {"last_over_time", V, {M}, 1, 0},
    {"ln", V, {V}, 1, 0},
    {"log10", V, {V}, 1, 0},
    {"log2", V, {V}, 1, 0},
    {"max_over_time", V, {M}, 1, 0},
    {"min_over_time", V, {M}, 1, 0},
    {"minute", V, {V}, 1, 1},
    {"month", V, {V}, 1, 1},
    {"pi", S, {}, 0, 0},
    {"predict_linear", V, {M, S}, 2, 0},
    {"present_over_time", V, {M}, 1, 0},
    {"quantile_over_time", V, {S, M}, 2, 0},
    {"rad", V, {V}, 1, 0},
    {"rate", V, {M}, 1, 0},
    {"resets", V, {M}, 1, 0},
    {"round", V, {V, S}, 2, 1},
    {"scalar", S, {V}, 1, 0},
    {"sgn", V, {V}, 1, 0},
    {"sin", V, {V}, 1, 0},
    {"sinh", V, {V}, 1, 0},
    {"sort", V, {V}, 1, 0},
    {"sort_desc", V, {V}, 1, 0},
    {"sqrt", V, {V}, 1, 0},
    {"stddev_over_time", V, {M}, 1, 0},
    {"stdvar_over_time", V, {M}, 1, 0},
    {"sum_over_time", V, {M}, 1, 0},
    {"tan", V, {V}, 1, 0},
    {"tanh", V, {V}, 1, 0},
    {"time", S, {}, 0, 0},
    {"timestamp", V, {V}, 1, 0},
    {"vector", V, {S}, 1, 0},
    {"year", V, {V}, 1, 1},
};

struct Flagged {
  std::string_view name;
  std::string_view flag;
};
constexpr std::string_view kExperimental = "promql-experimental-functions";
constexpr std::string_view kFill = "promql-binop-fill-modifiers";
constexpr Flagged kFlagged[] = {
    {"double_exponential_smoothing", kExperimental},
    {"end", kExperimental},
    {"fill", kFill},
    {"fill_left", kFill},
    {"fill_right", kFill},
    {"histogram_quantiles", kExperimental},
    {"info", kExperimental},
    {"integral", kExperimental},
    {"limit_ratio", kExperimental},
    {"limitk", kExperimental},
    {"mad_over_time", kExperimental},
    {"max_of", kExperimental},
    {"min_of", kExperimental},
    {"range", kExperimental},
    {"sort_by_label", kExperimental},
    {"sort_by_label_desc", kExperimental},
    {"start", kExperimental},
    {"start_timestamp", "use-start-timestamps"},
    {"step", kExperimental},
    {"ts_of_first_over_time", kExperimental},
    {"ts_of_last_over_time", kExperimental},
    {"ts_of_max_over_time", kExperimental},
    {"ts_of_min_over_time", kExperimental},
};

}  // namespace

std::string_view feature_flag(std::string_view name) {
  for (const Flagged& flagged : kFlagged)
    if (flagged.name == name) return flagged.flag;
  return {};
}

const Function* find_function(std::string_view name, Compat compat) {
  const auto* const found = std::lower_bound(std::begin(kFunctions), std::end(kFunctions), name,
                                             [](const Function& f, std::string_view n) { return f.name < n; });
  if (found == std::end(kFunctions) || found->name != name) return nullptr;
  return (compat == Compat::v2 ? found->in_v2 : found->in_v3) ? found : nullptr;
}

}  // namespace promql
