#include "cli/times.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <string_view>

#include "base/number.h"
#include "base/time.h"

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
