// The grammar of one sample of the text formats (Prometheus text 0.0.4, OpenMetrics 1.0), for those that read them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace encoding {

// Views are of the line.
struct SampleLine {
  std::string_view name;                                    // "" if it stands in quotes among the labels
  std::vector<std::pair<std::string, std::string>> labels;  // in their order; none if they are not wanted
  double value = 0;
  std::string_view time;  // as it stands there; "" if there is none
};

enum class SampleError { none, no_name, no_label, no_quotes, open_quotes, no_separator, no_number };

// `wants` says whether the labels of the metric are read or passed over; names in quotes are not asked for.
SampleError read_sample_line(std::string_view line, const std::function<bool(std::string_view name)>& wants,
                             SampleLine& out);

// 1.5, +1.5, 1e3, Inf, NaN.
std::optional<double> read_sample_number(std::string_view text);

}  // namespace encoding
