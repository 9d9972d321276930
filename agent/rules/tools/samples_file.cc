#include "rules/tools/samples_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "base/file.h"
#include "encoding/exposition_families.h"

namespace rules {
namespace {

// A file without # EOF may be cut off, or its times may be milliseconds. The parser stops at # EOF: samples after it
// would be ignored.
base::Result<> check_end(const std::string& path, std::string_view text) {
  constexpr std::string_view kEnd = "# EOF";
  const std::size_t at = text.starts_with(kEnd) ? 0 : text.find("\n# EOF");
  if (at == std::string_view::npos)
    return base::fail(
        base::Kind::invalid,
        path + ": has no # EOF at its end: it was cut off, or is no OpenMetrics, whose times are seconds");
  const std::string_view rest = text.substr(at + (at == 0 ? 0 : 1) + kEnd.size());
  if (rest.find_first_not_of(" \n") != std::string_view::npos)
    return base::fail(base::Kind::invalid, path + ": goes on after # EOF: join files without that line in the middle");
  return {};
}

}  // namespace

base::Result<SamplesFile> load_samples(const std::string& path) {
  TRY(const std::string text, base::read_input(path, std::size_t{1} << 30));
  TRY_VOID(check_end(path, text));
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
