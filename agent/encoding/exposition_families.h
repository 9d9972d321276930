// Reads the text formats: Prometheus text 0.0.4 and OpenMetrics 1.0, samples with their time stamps. Also a lint.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/labels.h"

namespace encoding {

struct ExposedSample {
  model::Labels labels;  // with __name__
  double value = 0;
  std::optional<std::int64_t> t;  // milliseconds
  std::size_t line = 0;
};

struct ExposedFamily {
  std::string name;
  std::string help, type, unit;  // "" if not said
  std::vector<ExposedSample> samples;
};

// The error names the line. Time stamps are milliseconds in text 0.0.4, seconds in OpenMetrics (told by "# EOF").
base::Result<std::vector<ExposedFamily>> parse_exposition(std::string_view text);

// What promtool check metrics would say: one line a finding, "NAME: what".
std::vector<std::string> lint(const std::vector<ExposedFamily>& families);

}  // namespace encoding
