// Samples with their times from an OpenMetrics file, and times as they are written on a command line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "promql/queryable.h"

namespace cli {

struct SamplesFile {
  std::vector<promql::MemoryQueryable::Entry> series;  // samples in order of time
  std::int64_t oldest = 0, newest = 0;                 // milliseconds; 0 without a sample
};

// Up to 1 GiB. A sample without a time stamp is an error that names its line.
base::Result<SamplesFile> load_samples(const std::string& path);

// RFC 3339, seconds since the epoch, or -5m: so long before `now`; to milliseconds.
base::Result<std::int64_t> parse_time(const std::string& text, std::int64_t now);
// The same for the API of an agent: seconds for -5m, every other text as it is.
std::string api_time(const std::string& text, std::int64_t now);
// A duration (30s), or seconds; to milliseconds, more than none.
base::Result<std::int64_t> parse_step(const std::string& text);

}  // namespace cli
