// Samples with their times from an OpenMetrics file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "promql/queryable.h"

namespace rules {

struct SamplesFile {
  std::vector<promql::MemoryQueryable::Entry> series;  // samples in order of time
  std::int64_t oldest = 0, newest = 0;                 // milliseconds; 0 without a sample
};

// Up to 1 GiB. A sample without a time stamp is an error that names its line.
base::Result<SamplesFile> load_samples(const std::string& path);

}  // namespace rules
