#include "probe/backup/backup_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

constexpr std::size_t kFewForMedian = 3;

// Of the sizes that are known; nullopt if they are too few to tell what is usual.
std::optional<double> median(const std::vector<const Backup*>& backups) {
  std::vector<double> sizes;
  for (const Backup* each : backups)
    if (each->bytes) sizes.push_back(*each->bytes);
  if (sizes.size() < kFewForMedian) return std::nullopt;
  const auto middle = sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() / 2);
  std::nth_element(sizes.begin(), middle, sizes.end());
  if (sizes.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(sizes.begin(), middle)) / 2;
}

Outcome verdict(const std::string& repository, const BackupSet& found, const BackupDemands& demands,
                const std::vector<const Backup*>& good, const Backup* broken, std::optional<double> usual,
                base::WallTime now) {
  if (!found.trouble.empty()) return Outcome::failure(Reason::status_mismatch, found.trouble);
  const std::string last_error =
      broken == nullptr ? "" : fmt::format("; the backup {} has an error: {}", broken->id, broken->error);
  if (good.empty()) return Outcome::failure(Reason::body_mismatch, "there is no backup in " + repository + last_error);
  const Backup& newest = *good.back();
  const base::Millis age = std::max(now - newest.ended, base::Millis{0});
  const std::string text = fmt::format("the newest backup, {}, ended {} ago", newest.id,
                                       base::format_duration(std::chrono::floor<std::chrono::seconds>(age)));
  if (age > demands.max_age)
    return Outcome::failure(Reason::body_mismatch, fmt::format("{}; max_age is {}{}", text,
                                                               base::format_duration(demands.max_age), last_error));
  if (good.size() < static_cast<std::size_t>(demands.min_count))
    return Outcome::failure(Reason::body_mismatch, fmt::format("there are {} of the {} backups that {} must have{}",
                                                               good.size(), demands.min_count, repository, last_error));
  if (newest.bytes && usual && *newest.bytes < demands.min_size * *usual)
    return Outcome::failure(Reason::body_mismatch,
                            fmt::format("the newest backup, {}, has {:.0f} bytes, and the median of those before it is "
                                        "{:.0f}; min_size is {:g} of that",
                                        newest.id, *newest.bytes, *usual, demands.min_size));
  return Outcome::success(text);
}

}  // namespace

Outcome judge(const std::string& repository, const BackupSet& found, const BackupDemands& demands, base::WallTime now) {
  std::vector<const Backup*> good;
  const Backup* broken = nullptr;  // the newest of these
  for (const Backup& each : found.backups)
    if (each.error.empty()) good.push_back(&each);
    else if (broken == nullptr || broken->ended < each.ended) broken = &each;
  std::stable_sort(good.begin(), good.end(), [](const Backup* a, const Backup* b) { return a->ended < b->ended; });
  const std::optional<double> usual = good.empty() ? std::nullopt : median({good.begin(), std::prev(good.end())});
  Outcome outcome = verdict(repository, found, demands, good, broken, usual, now);
  const auto measure = [&outcome](const char* name, double value) {
    outcome.measurements.push_back({name, value, {}});
  };
  measure("probe_backup_count", static_cast<double>(good.size()));
  measure("probe_backup_broken", static_cast<double>(found.backups.size() - good.size()));
  if (found.locks) measure("probe_backup_locks", static_cast<double>(*found.locks));
  if (good.empty()) return outcome;
  measure("probe_backup_last_success_timestamp_seconds", base::seconds(good.back()->ended));
  if (good.back()->bytes) measure("probe_backup_last_size_bytes", *good.back()->bytes);
  if (usual) measure("probe_backup_median_size_bytes", *usual);
  return outcome;
}

}  // namespace probe
