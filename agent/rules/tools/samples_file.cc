#include "rules/tools/samples_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/file.h"
#include "encoding/exposition_families.h"

namespace rules {

base::Result<SamplesFile> load_samples(const std::string& path) {
  TRY(const std::string text, base::read_input(path, std::size_t{1} << 30));
  TRY(const auto families, encoding::parse_exposition(text));
  SamplesFile file;
  std::map<model::Labels, std::size_t> index;
  bool first = true;
  for (const encoding::ExposedFamily& family : families) {
    for (const encoding::ExposedSample& sample : family.samples) {
      if (!sample.t)
        return base::fail(
            base::Kind::invalid,
            fmt::format("{}:{}: the sample has no time stamp; queries and replays need one", path, sample.line));
      const auto [at, is_new] = index.try_emplace(sample.labels, file.series.size());
      if (is_new) file.series.push_back({sample.labels, {}});
      file.series[at->second].samples.push_back({*sample.t, sample.value});
      file.oldest = first ? *sample.t : std::min(file.oldest, *sample.t);
      file.newest = first ? *sample.t : std::max(file.newest, *sample.t);
      first = false;
    }
  }
  for (auto& series : file.series)
    std::stable_sort(series.samples.begin(), series.samples.end(),
                     [](const auto& a, const auto& b) { return a.t < b.t; });
  return file;
}

}  // namespace rules
