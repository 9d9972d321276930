#include "web/pages/line_graphic.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "base/time.h"
#include "web/pages/html.h"
#include "web/pages/parts.h"

namespace web {
namespace {

constexpr std::int64_t kSecond = 1'000, kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;
constexpr int kWidth = 720, kHeight = 200;  // of the lines, in their own units
constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr int kLooks = 6;  // colours, and patterns of dashes

// Each pair of colour and dashes once.
std::string look_of(std::size_t number) {
  return fmt::format("line l{} d{}", number % kLooks, (number + number / kLooks) % kLooks);
}

// M and L commands; a gap where samples are missing.
std::string path_of(const GraphicLine& line, const LineGraphic& graphic, double low, double high) {
  std::string out;
  std::int64_t last = graphic.start - 2 * graphic.step;
  const auto span = static_cast<double>(std::max<std::int64_t>(1, graphic.end - graphic.start));
  const double height = high / 2 - low / 2;  // the whole may be beyond a double
  for (const auto& [t, value] : line.samples) {
    if (!std::isfinite(value)) continue;
    const double x = static_cast<double>(t - graphic.start) / span * kWidth;
    const double part = height > 0 ? (value / 2 - low / 2) / height : 0.5;
    const double y = kHeight - std::clamp(part, 0.0, 1.0) * kHeight;
    // A sample without neighbours is a dot.
    out += 2 * (t - last) <= 3 * graphic.step ? fmt::format("L{:.1f} {:.1f}", x, y)
                                              : fmt::format("M{:.1f} {:.1f}h.1", x, y);
    last = t;
  }
  return out;
}

std::string row_of(const GraphicLine& line, std::size_t number, const LineGraphic& graphic) {
  // NaN is neither less nor greater: it shows as a mean, and as the last value.
  double least = INFINITY, most = -INFINITY, sum = 0;
  for (const auto& [t, value] : line.samples) {
    least = std::min(least, value);
    most = std::max(most, value);
    sum += value;
  }
  const auto& [last_at, last] = line.samples.back();
  const bool lives = 2 * (graphic.end - last_at) <= 3 * graphic.step;
  const auto cell = [&](std::string_view of, std::optional<double> value) {
    return fmt::format(R"(<td class="num" data-of="{}">{}</td>)", of, value ? escape(graphic.words(*value)) : "–");
  };
  const bool ordered = least <= most;
  return fmt::format(
             R"(<tr><th scope="row" class="mono"><svg class="key" viewBox="0 0 26 4" aria-hidden="true"><path class="{}" d="M1 2h24"/></svg>{}</th>)",
             look_of(number), escape(line.name)) +
         cell("Last", lives ? std::optional(last) : std::nullopt) +
         cell("Least", ordered ? std::optional(least) : std::nullopt) +
         cell("Greatest", ordered ? std::optional(most) : std::nullopt) +
         cell("Mean", sum / static_cast<double>(line.samples.size())) + "</tr>";
}

std::int64_t time_step(std::int64_t span) {
  constexpr std::array kSteps{kSecond,  2 * kSecond, 5 * kSecond, 10 * kSecond, 15 * kSecond, 30 * kSecond,
                              kMinute,  2 * kMinute, 5 * kMinute, 10 * kMinute, 15 * kMinute, 30 * kMinute,
                              kHour,    2 * kHour,   3 * kHour,   6 * kHour,    12 * kHour,   kDay,
                              2 * kDay, 4 * kDay,    7 * kDay,    14 * kDay,    30 * kDay,    60 * kDay};
  for (const std::int64_t step : kSteps)
    if (span <= 4 * step) return step;
  return 120 * kDay;
}

std::string tick_time(std::int64_t t, std::int64_t step) {
  const std::string text = date_and_clock(t);
  if (step % kDay == 0 || t % kDay == 0) {
    const auto date = std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(base::wall_from_ms(t)));
    return fmt::format("{} {}", kMonths[unsigned{date.month()} - 1], unsigned{date.day()});
  }
  return text.substr(11, step % kMinute == 0 ? 5 : 8);
}

std::string time_axis(const LineGraphic& graphic) {
  std::string out;
  const std::int64_t span = std::max<std::int64_t>(1, graphic.end - graphic.start);
  for (const std::int64_t t : time_ticks(graphic.start, graphic.end)) {
    const double x = static_cast<double>(t - graphic.start) / static_cast<double>(span) * 100;
    if (x < 8 || x > 92) continue;  // it would stand beside the graph
    out += fmt::format(R"(<text x="{:.2f}%" y="{}" text-anchor="middle">{}</text>)", x, kHeight + 18,
                       tick_time(t, time_step(span)));
  }
  return out;
}

std::string grid(const LineGraphic& graphic, std::size_t rows) {
  std::string out;
  for (std::size_t i = 0; i < rows; ++i)
    out += fmt::format("M0 {:.1f}H{}",
                       static_cast<double>(kHeight) * static_cast<double>(i) / static_cast<double>(rows - 1), kWidth);
  const auto span = static_cast<double>(std::max<std::int64_t>(1, graphic.end - graphic.start));
  for (const std::int64_t t : time_ticks(graphic.start, graphic.end))
    out += fmt::format("M{:.1f} 0V{}", static_cast<double>(t - graphic.start) / span * kWidth, kHeight);
  return out;
}

std::string picture(const LineGraphic& graphic, const std::string& paths, double least, double most) {
  const std::vector<double> ticks = value_ticks(least, most);
  const double distance = ticks[1] - ticks[0];
  const auto words = [&](double tick) {
    return graphic.tick_words ? graphic.tick_words(tick, distance) : graphic.words(tick);
  };
  std::string scale;
  for (auto tick = ticks.rbegin(); tick != ticks.rend(); ++tick)
    scale += fmt::format("<span>{}</span>", escape(words(*tick)));
  return fmt::format(
      R"(<div class="graph"><p class="scale" aria-hidden="true">{}</p><svg class="curve" role="img" aria-label="{}">)"
      R"(<svg width="100%" height="{}" viewBox="0 0 {} {}" preserveAspectRatio="none"><path class="grid" d="{}"/>{}</svg>{}</svg></div>)",
      scale,
      escape(fmt::format("{}, from {} to {}; the table below has the numbers", graphic.label, words(ticks.front()),
                         words(ticks.back()))),
      kHeight, kWidth, kHeight, grid(graphic, ticks.size()), paths, time_axis(graphic));
}

}  // namespace

std::vector<double> value_ticks(double least, double greatest) {
  double low = least, high = greatest;
  if (low > 0 && low <= high / 2) low = 0;
  if (high < 0 && high >= low / 2) high = 0;
  if (low == high) {
    if (low == 0) high = 1;
    else (low > 0 ? low : high) = 0;
  }
  const double rough = high / 4 - low / 4;  // the difference itself may be beyond a double
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0})
    if (rough <= factor * power) {
      step = factor * power;
      break;
    }
  const double first = std::floor(low / step), last = std::ceil(high / step);
  // Of steps that a double cannot tell apart at this height, or that lie beyond it, only the ends are left.
  if (step == 0 || !std::isfinite(first * step) || !std::isfinite(last * step) ||
      !(last - first >= 2 && last - first <= 6) || std::max(std::abs(first), std::abs(last)) > 1e15)
    return {low, low / 2 + high / 2, high};
  std::vector<double> out;
  for (int i = 0; i <= static_cast<int>(last - first); ++i) {
    const double at = first + i;
    out.push_back(at == 0 ? 0 : at * step);
  }
  return out;
}

std::vector<std::int64_t> time_ticks(std::int64_t start, std::int64_t end) {
  const std::int64_t step = time_step(end - start);
  std::int64_t t = start / step * step;
  if (t < start) t += step;
  std::vector<std::int64_t> out;
  for (; t <= end; t += step) out.push_back(t);
  return out;
}

std::string number_words(double value, double distance) {
  if (value == 0) return "0";
  if (!std::isfinite(value)) return fmt::format("{}", value);
  struct Prefix {
    double factor;
    std::string_view sign;
  };
  // No letters for what is small: "m" and "M" are too near to each other.
  constexpr std::array kPrefixes{Prefix{1e12, " T"}, Prefix{1e9, " G"}, Prefix{1e6, " M"}, Prefix{1e3, " k"},
                                 Prefix{1, ""}};
  const double size = std::abs(value);
  // A value just below a round one that only a rounding has put there keeps its prefix.
  const Prefix* prefix = std::find_if(kPrefixes.begin(), kPrefixes.end() - 1,
                                      [&](const Prefix& each) { return size >= each.factor * (1 - 1e-9); });
  const double steps = std::max(1.0, size / distance);  // not a number of them, where the distance is none
  const int digits = steps < 1e12 ? std::max(3, static_cast<int>(std::ceil(std::log10(steps))) + 1) : 15;
  if (size >= 1e15) return fmt::format("{:.{}g}", value, digits);
  return fmt::format("{:.{}g}{}", value / prefix->factor, digits, prefix->sign);
}

std::string line_graphic(const LineGraphic& graphic) {
  double least = INFINITY, most = -INFINITY;
  std::string paths, rows;
  std::size_t number = 0;
  for (const GraphicLine& line : graphic.lines) {
    if (line.samples.empty() || number == kMostLines) continue;
    for (const auto& [t, value] : line.samples)
      if (std::isfinite(value)) {
        least = std::min(least, value);
        most = std::max(most, value);
      }
    rows += row_of(line, number++, graphic);
  }
  if (rows.empty()) return "";
  const bool drawable = least <= most;
  const std::vector<double> ticks = drawable ? value_ticks(least, most) : std::vector<double>{};
  number = 0;
  for (const GraphicLine& line : graphic.lines) {
    if (line.samples.empty() || number == kMostLines) continue;
    if (const std::string path = drawable ? path_of(line, graphic, ticks.front(), ticks.back()) : ""; !path.empty())
      paths +=
          fmt::format(R"(<path class="{}" d="{}"><title>{}</title></path>)", look_of(number), path, escape(line.name));
    ++number;
  }
  return (drawable ? picture(graphic, paths, least, most)
                   : R"(<p class="empty">None of the values can be drawn.</p>)") +
         fmt::format(R"(<p class="axis"><span>{} to {} UTC</span><span>a value every {}</span></p>)",
                     date_and_clock(graphic.start), date_and_clock(graphic.end),
                     base::format_duration(base::Millis(graphic.step))) +
         fmt::format(
             R"(<div class="wide"><table class="rules values"><thead><tr><th scope="col">{}</th><th scope="col">Last</th>)"
             R"(<th scope="col">Least</th><th scope="col">Greatest</th><th scope="col">Mean</th></tr></thead><tbody>{}</tbody></table></div>)",
             graphic.column, rows);
}

}  // namespace web
