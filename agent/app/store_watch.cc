#include "app/store_watch.h"

#include <fmt/format.h>

#include "base/log.h"
#include "probe/probe.h"

namespace app {
namespace {

// probe_success and probe_duration_seconds, and what the page about the agent says of each probe.
constexpr std::size_t kOfEachProbe = 2 + 4;

// What the agent says of itself, without services: rather too few than too many.
constexpr std::size_t kOfTheAgent = 120;

}  // namespace

void StoreWatch::look(base::Instant now) {
  bool is_full = false;
  const store::WriterStats* rule = nullptr;  // of those that were refused the largest
  const store::WriterStats* from = nullptr;  // who lost most
  std::uint64_t lost = 0, most_lost = 0;
  for (const store::Shortage& shortage : store_.take_short_of_room()) {
    const store::WriterStats& stats = store_.writer(shortage.writer);
    const bool of_rule = stats.rank == store::Rank::recording || stats.rank == store::Rank::alert;
    if (shortage.refused > 0 && !of_rule) is_full = true;
    if (shortage.refused > 0 && of_rule && (!rule || stats.series > rule->series)) rule = &stats;
    lost += shortage.lost;
    if (shortage.lost > most_lost) {
      most_lost = shortage.lost;
      from = &stats;
    }
    if (shortage.replaced == 0) continue;
    Short& known = own_[shortage.writer];
    if (known.last == base::Instant{})
      base::log::warn("the series of a probe come and go: its oldest make room",
                      {{"probe", stats.name},
                       {"series", fmt::to_string(stats.series)},
                       {"hint", "choose fewer metrics, or leave out the label that changes"}});
    known = {fmt::format("The series of {} come and go: of those that have ended it keeps the newest, {} in all.",
                         stats.name, stats.series),
             now};
  }
  if (is_full) say_full(now);
  if (rule) say_rules(*rule, now);
  if (from) say_lost(*from, lost, now);
  if (full_.last != base::Instant{} && now - full_.last >= kForgotten) {
    full_ = {};
    base::log::info("the store has room again");
  }
  for (Short* each : {&rules_, &lost_})
    if (each->last != base::Instant{} && now - each->last >= kForgotten) *each = {};
  std::erase_if(own_, [&](const auto& each) { return now - each.second.last >= kForgotten; });
}

void StoreWatch::say_full(base::Instant now) {
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

void StoreWatch::say_rules(const store::WriterStats& rule, base::Instant now) {
  const std::size_t max_series = store_.stats().max_series;
  if (rules_.last == base::Instant{})
    base::log::warn("the store has no room for all series of rules: those with the most are refused more",
                    {{"largest", rule.name},
                     {"largest_series", fmt::to_string(rule.series)},
                     {"max_series", fmt::to_string(max_series)},
                     {"hint", "aggregate in the rule, or raise storage.max_series"}});
  rules_ = {fmt::format("The store has no room for all series of rules: storage.max_series is {}. Those with the most "
                        "are refused more: {} has {}.",
                        max_series, rule.name, rule.series),
            now};
}

void StoreWatch::say_lost(const store::WriterStats& from, std::uint64_t lost, base::Instant now) {
  base::log::warn("living series had to go from the store, for what comes before them",
                  {{"series", fmt::to_string(lost)},
                   {"most_of", from.name},
                   {"hint", "raise storage.max_series, or measure less"}});
  lost_series_ = lost + (lost_.last == base::Instant{} ? 0 : lost_series_);
  lost_ = {fmt::format("The store had no room: living series had to go for health, alerts or rules with fewer series, "
                       "{} in all, the last of {}.",
                       lost_series_, from.name),
           now};
}

std::vector<std::string> StoreWatch::troubles() const {
  std::vector<std::string> out;
  for (const Short* each : {&full_, &rules_, &lost_})
    if (each->last != base::Instant{}) out.push_back(each->text);
  for (const auto& [writer, known] : own_) out.push_back(known.text);
  return out;
}

std::string too_many_series(const std::vector<const probe::Spec*>& probes, std::size_t max_series) {
  std::size_t series = kOfTheAgent;
  for (const probe::Spec* spec : probes) series += kOfEachProbe + spec->type->measurements.size();
  if (series <= max_series) return "";
  return fmt::format(
      "storage.max_series is {}, and {} probes measure {} series or more, with those of the agent itself: what is "
      "beyond is refused, health and alerts last. Set storage.max_series to {} or more (2 to 4 KiB of memory for "
      "each), "
      "or measure less",
      max_series, probes.size(), series, (series / 10'000 + 1) * 10'000 * 5 / 4);
}

}  // namespace app
