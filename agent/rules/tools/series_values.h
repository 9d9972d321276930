// The values of a series in a unit test: "1 2 _ stale 5x3 0+10x4 _x2" (promtool's notation).
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "promql/compat.h"

namespace rules {

// One entry per interval; nothing where no sample is. `stale` is the staleness marker. "axN" is a and N more of it,
// "a+bxN" a and N steps of b, "_xN" N gaps.
struct SeriesValues {
  std::vector<std::optional<double>> values;
  // There are native histograms among them ("{{}}", "{{schema:0 count:2}}x3"), which are no values here: nothing may
  // read the series.
  bool native = false;
};
// Digits with an underscore between them (1_000) are a number since Prometheus 3.
base::Result<SeriesValues> parse_series_values(std::string_view text, promql::Compat compat = promql::Compat::v3);

// Whether the text starts with a number: what Prometheus refuses where no series stands before it.
bool starts_with_number(std::string_view values);

}  // namespace rules
