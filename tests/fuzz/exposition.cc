// Metrics pages, by both readers: what applications show to a probe, and what `fettle check metrics` is given.
#include "encoding/exposition_families.h"
#include "encoding/exposition_reader.h"
#include "fuzz/fuzz.h"

void fuzz::one_input(std::string_view bytes) {
  using encoding::ExpositionFormat;
  for (const auto format : {ExpositionFormat::text, ExpositionFormat::open_metrics}) {
    std::size_t taken = 0;
    const auto read = encoding::read_exposition(
        bytes, format,
        {.wants = [](std::string_view) { return true; }, .take = [&](const encoding::ScrapedSample&) { ++taken; }});
    const auto passed_over = encoding::read_exposition(
        bytes, format,
        {.wants = [](std::string_view) { return false; }, .take = [](const encoding::ScrapedSample&) {}});
    if (!read) {
      require(!read.error().text.empty(), "a refusal has a reason");
      continue;
    }
    require(taken <= *read, "no more is taken than is counted");  // names in quotes are passed over
    require(passed_over && *passed_over == *read, "what is not asked for is counted");
  }
  if (const auto families = encoding::parse_exposition(bytes)) encoding::lint(*families);
}
