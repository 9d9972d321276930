#include "cli/samples_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>

#include "base/file.h"
#include "base/number.h"
#include "base/time.h"
#include "encoding/exposition_families.h"

namespace cli {
namespace {

constexpr double kMostSeconds = 9e12;  // 285,000 years; their milliseconds are whole numbers still

// Of "-5m".
std::optional<std::int64_t> before(const std::string& text, std::int64_t now) {
  if (!text.starts_with('-')) return {};
  const auto length = base::parse_duration(std::string_view(text).substr(1));
  return length ? std::optional(now - length->count()) : std::nullopt;
}

}  // namespace

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

std::string api_time(const std::string& text, std::int64_t now) {
  const auto t = before(text, now);
  return t ? fmt::format("{}.{:03}", *t / 1000, *t % 1000) : text;
}

base::Result<std::int64_t> parse_time(const std::string& text, std::int64_t now) {
  if (const auto t = before(text, now)) return *t;
  if (const auto seconds = base::read_number<double>(text); seconds && std::abs(*seconds) < kMostSeconds)
    return static_cast<std::int64_t>(*seconds * 1e3);
  TRY(const base::WallTime t, base::parse_iso8601(text));
  return base::to_ms(t);
}

base::Result<std::int64_t> parse_step(const std::string& text) {
  if (const auto seconds = base::read_number<double>(text); seconds && *seconds > 0 && *seconds < kMostSeconds)
    return static_cast<std::int64_t>(*seconds * 1e3);
  TRY(const base::Millis step, base::parse_duration(text));
  if (step.count() <= 0) return base::fail(base::Kind::invalid, "a step must be longer than nothing");
  return step.count();
}

}  // namespace cli
