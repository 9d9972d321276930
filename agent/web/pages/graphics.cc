#include <fmt/format.h>

#include <algorithm>

#include "web/pages/html.h"
#include "web/pages/parts.h"

namespace web {
namespace {

// As many bars as the page has room for; the page stays the same width from the first run on.
constexpr std::size_t kBars = 60;

}  // namespace

std::string history_graphic(const std::vector<bool>& history) {
  const std::size_t shown = std::min(history.size(), kBars);
  const std::size_t first = history.size() - shown;
  std::string ok, failed, none;
  std::size_t failures = 0;
  for (std::size_t i = 0; i < kBars - shown; ++i) none += fmt::format("M{} 8h3v2h-3z", i * 4);
  for (std::size_t i = 0; i < shown; ++i) {
    const std::size_t x = (kBars - shown + i) * 4;
    if (history[first + i]) {
      ok += fmt::format("M{} 3h3v13h-3z", x);
    } else {
      failed += fmt::format("M{} 0h3v18h-3z", x);  // taller: seen without colours too
      ++failures;
    }
  }
  const std::string words = shown == 0 ? "No run yet" : fmt::format("Last {} runs, {} failed", shown, failures);
  return fmt::format(
      R"(<svg class="hist" viewBox="0 0 {} 18" preserveAspectRatio="none" role="img" aria-label="{}"><title>{}</title>)"
      R"(<path class="none" d="{}"/><path class="ok" d="{}"/><path class="bad" d="{}"/></svg>)",
      kBars * 4 - 1, words, words, none, ok, failed);
}

std::string phases_graphic(const std::vector<std::pair<std::string, double>>& phases) {
  double total = 0;
  for (const auto& [name, took] : phases) total += std::max(0.0, took);
  if (total <= 0) return "";
  std::string rects, words;
  double x = 0;
  int number = 0;
  for (const auto& [name, took] : phases) {
    if (took <= 0) continue;
    const double width = took / total * 100;
    rects += fmt::format(R"(<rect class="p{}" x="{:.2f}" width="{:.2f}" height="4"/>)", number % 6, x, width);
    words +=
        fmt::format(R"(<span><i class="k p{}"></i>{} {}</span> )", number % 6, escape(name), precise_duration(took));
    x += width;
    ++number;
  }
  return fmt::format(R"(<svg class="phases" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">{}</svg>)"
                     R"(<span class="legend">{}</span>)",
                     rects, words);
}

}  // namespace web
