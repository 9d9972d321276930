#include "app/store_watch.h"

#include <fmt/format.h>

#include "base/log.h"
#include "probe/probe.h"

namespace app {
namespace {

// probe_success and probe_duration_seconds, and what the page about the agent says of each probe.
constexpr std::size_t kOfEachProbe = 2 + 4;

}  // namespace

void StoreWatch::look(base::Instant now) {
  bool is_full = false;
  for (const store::Writer writer : store_.take_short_of_room()) {
    const store::WriterStats& stats = store_.writer(writer);
    const bool at_its_limit = stats.series >= store::kMostOfWriter;
    is_full |= !at_its_limit;
    if (!at_its_limit) continue;
    Short& known = own_[writer];
    if (known.last == base::Instant{})
      base::log::warn("the series of a probe come and go: its oldest make room",
                      {{"probe", stats.name},
                       {"series", fmt::to_string(stats.series)},
                       {"hint", "choose fewer metrics, or leave out the label that changes"}});
    known = {fmt::format("The series of {} come and go: of those that have ended it keeps the newest, {} in all.",
                         stats.name, stats.series),
             now};
  }
  if (is_full) {
    const store::Stats stats = store_.stats();
    const store::WriterStats* largest = store_.largest_writer();
    const std::string who =
        largest ? fmt::format(" {} has the most, {}.", largest->name, largest->series) : std::string();
    if (full_.last == base::Instant{})
      base::log::warn("the store is full: new series of probes are refused",
                      {{"max_series", fmt::to_string(stats.max_series)},
                       {"series", fmt::to_string(stats.series)},
                       {"largest", largest ? largest->name : ""},
                       {"largest_series", fmt::to_string(largest ? largest->series : 0)},
                       {"hint", "raise storage.max_series, or measure less"}});
    full_ = {fmt::format("The store is full: storage.max_series is {}. New series of probes are refused; health and "
                         "alerts have room of their own.{}",
                         stats.max_series, who),
             now};
  }
  if (full_.last != base::Instant{} && now - full_.last >= kForgotten) {
    full_ = {};
    base::log::info("the store has room again");
  }
  std::erase_if(own_, [&](const auto& each) { return now - each.second.last >= kForgotten; });
}

std::vector<std::string> StoreWatch::troubles() const {
  std::vector<std::string> out;
  if (full_.last != base::Instant{}) out.push_back(full_.text);
  for (const auto& [writer, known] : own_) out.push_back(known.text);
  return out;
}

std::string too_many_series(const std::vector<const probe::Spec*>& probes, std::size_t max_series) {
  std::size_t series = 0;
  for (const probe::Spec* spec : probes) series += kOfEachProbe + spec->type->measurements.size();
  if (series <= max_series) return "";
  return fmt::format(
      "storage.max_series is {}, and {} probes measure {} series or more: what is beyond is refused, but for health, "
      "alerts and recordings. Set storage.max_series to {} or more (2 to 4 KiB of memory for each), or measure less",
      max_series, probes.size(), series, (series / 10'000 + 1) * 10'000 * 5 / 4);
}

}  // namespace app
