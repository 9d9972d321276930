#include "web/pages/history_graphics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "web/explain.h"
#include "web/pages/html.h"
#include "web/pages/parts.h"

namespace web {
namespace {

constexpr std::int64_t kHourMs = 3'600'000, kDayMs = 24 * kHourMs;
constexpr std::size_t kDownDaysShown = 10;

std::string date_of(std::int32_t day) { return base::format_iso8601(base::wall_from_ms(day * kDayMs)).substr(0, 10); }

std::string clock_of(std::int64_t ms) { return base::format_iso8601(base::wall_from_ms(ms)).substr(11, 8); }

// Taller where it was worse: seen without colours too.
std::string bar(std::size_t place, std::string_view kind, const std::string& words) {
  const int top = kind == "bad" ? 0 : kind == "part" ? 4 : kind == "none" ? 26 : 8;
  return fmt::format(R"(<rect class="{}" x="{}" y="{}" width="4" height="{}"><title>{}</title></rect>)", kind,
                     place * 5, top, (kind == "none" ? 30 : 34) - top, escape(words));
}

std::string_view kind_of_ratio(double ratio) {
  if (ratio >= 1) return "ok";
  return ratio >= 0.95 ? "part" : "bad";
}

std::string bars(std::size_t count, const std::string& words, const std::string& rects) {
  return fmt::format(
      R"(<svg class="bars" viewBox="0 0 {} 34" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>)",
      count * 5 - 1, escape(words), rects);
}

std::string axis(const std::string& left, const std::string& right) {
  return fmt::format(R"(<p class="axis"><span>{}</span><span>{}</span></p>)", left, right);
}

std::string down_words(const model::AvailabilitySpan& day) {
  std::string out = fmt::format("down for {}", rough_duration(base::Millis(day.down)));
  if (day.planned > 0) out += fmt::format(", in maintenance for {} more", rough_duration(base::Millis(day.planned)));
  return out;
}

std::string words_of(const std::string& when, const model::AvailabilitySpan& span) {
  const auto ratio = span.ratio();
  if (!ratio) return when + (span.planned > 0 ? ": in maintenance" : ": not known");
  return fmt::format("{}: {} up{}", when, percent_text(*ratio), span.down > 0 ? ", " + down_words(span) : "");
}

// Of days or hours, the last of which is `last`; `words` has the unit and `name` says which one it is.
std::string span_bars(const std::vector<model::AvailabilitySpan>& spans, std::int32_t last, std::int32_t most,
                      std::string_view words, const std::function<std::string(std::int32_t)>& name) {
  std::string rects;
  std::size_t known = 0, down = 0;
  auto next = spans.begin();
  for (std::int32_t place = 0; place < most; ++place) {
    const std::int32_t number = last - most + 1 + place;
    while (next != spans.end() && next->number < number) ++next;
    const bool there = next != spans.end() && next->number == number;
    const model::AvailabilitySpan span = there ? *next : model::AvailabilitySpan{number};
    const auto ratio = span.ratio();
    known += ratio ? 1 : 0;
    down += span.down > 0 ? 1 : 0;
    rects += bar(static_cast<std::size_t>(place),
                 ratio              ? kind_of_ratio(*ratio)
                 : span.planned > 0 ? "plan"
                                    : "none",
                 words_of(name(number), span));
  }
  return bars(static_cast<std::size_t>(most),
              fmt::format("Last {} {}: {} are known, in {} of them it was down", most, words, known, down), rects);
}

std::string hour_of(std::int32_t hour) {
  return base::format_iso8601(base::wall_from_ms(hour * kHourMs)).substr(11, 5);
}

std::vector<model::AvailabilitySpan> days_of(const model::ServiceAvailability& availability) {
  std::vector<model::AvailabilitySpan> days;
  if (availability.before) days = *availability.before;
  days.push_back(availability.today);
  return days;
}

}  // namespace

std::string percent_text(double ratio) {
  if (ratio >= 1) return "100 %";
  return fmt::format("{:.3f} %", std::floor(ratio * 100'000) / 1000);
}

std::string hour_bars(const model::ServiceAvailability& availability) {
  if (!availability.hours_before) return "";
  std::vector<model::AvailabilitySpan> hours = *availability.hours_before;
  hours.push_back(availability.this_hour);
  const std::int32_t now = availability.this_hour.number;
  constexpr auto kMost = static_cast<std::int32_t>(model::ServiceAvailability::kHours);
  return span_bars(hours, now, kMost, "hours", hour_of) + axis(hour_of(now - kMost + 1) + " UTC", "this hour");
}

std::string day_bars(const model::ServiceAvailability& availability) {
  const std::vector<model::AvailabilitySpan> days = days_of(availability);
  const std::int32_t today = availability.today.number;
  constexpr auto kMost = static_cast<std::int32_t>(model::ServiceAvailability::kDays);
  std::string items;
  std::size_t shown = 0, down = 0;
  for (auto day = days.rbegin(); day != days.rend(); ++day)
    if (day->down > 0 && down++ < kDownDaysShown) {
      ++shown;
      items += fmt::format("<li>{}</li>", words_of(date_of(day->number), *day));
    }
  std::string out = span_bars(days, today, kMost, "days", date_of) + axis(date_of(today - kMost + 1), "today");
  if (!items.empty())
    out +=
        fmt::format(R"(<details><summary>Days on which it was down: {}</summary><ul class="plain">{}</ul></details>)",
                    down > shown ? fmt::format("the last {} of {}", shown, down) : std::to_string(down), items);
  return out;
}

std::string uptime_tiles(const model::ServiceAvailability& availability) {
  const std::vector<model::AvailabilitySpan> days = days_of(availability);
  std::string out = R"(<dl class="tiles uptime">)";
  struct Span {
    std::string_view words;
    std::int32_t days;
  };
  for (const Span& span : {Span{"Today", 1}, Span{"7 days", 7}, Span{"30 days", 30}, Span{"90 days", 90}}) {
    model::AvailabilitySpan sum;
    for (const model::AvailabilitySpan& day : days)
      if (day.number > availability.today.number - span.days) {
        sum.up += day.up;
        sum.down += day.down;
        sum.planned += day.planned;
      }
    const auto ratio = sum.ratio();
    out += fmt::format(R"(<div class="tile"><dt>{}</dt><dd>{}</dd><dd class="more">{}</dd></div>)", span.words,
                       ratio ? percent_text(*ratio) : "–",
                       sum.down > 0 ? down_words(sum)
                       : ratio      ? "never down"
                                    : "not known");
  }
  return out + "</dl>";
}

std::string step_bars(const Measured& measured) {
  std::string rects;
  std::size_t down = 0, known = 0;
  auto next = measured.up.begin();
  for (std::size_t i = 0; i < Measured::kSteps; ++i) {
    const std::int64_t t = measured.start + static_cast<std::int64_t>(i) * measured.step;
    while (next != measured.up.end() && next->first < t) ++next;
    if (next == measured.up.end() || next->first != t) {
      rects += bar(i, "none", clock_of(t) + ": not known");
      continue;
    }
    ++known;
    const bool bad = next->second < 1;
    down += bad ? 1 : 0;
    rects += bar(i,
                 next->second >= 1    ? "ok"
                 : next->second > 0.5 ? "part"
                                      : "bad",
                 clock_of(t) + (bad ? ": down" : ": up"));
  }
  const std::string words = fmt::format("Last {}: of {} steps of {} that are known it was down in {}", measured.range,
                                        known, base::format_duration(base::Millis(measured.step)), down);
  return bars(Measured::kSteps, words, rects) +
         axis(clock_of(measured.start) + " UTC", clock_of(measured.end) + " UTC");
}

std::string duration_graphic(const Measured& measured) {
  LineGraphic graphic{measured.start,
                      measured.end,
                      measured.step,
                      measured.durations,
                      "How long the probes took over the last " + measured.range,
                      "Probe",
                      precise_duration};
  graphic.tick_words = [](double tick, double) { return tick == 0 ? "0" : precise_duration(tick); };
  const std::string out = line_graphic(graphic);
  return out.empty() ? R"(<p class="empty">The store has no run of it over this time.</p>)" : out;
}

}  // namespace web
