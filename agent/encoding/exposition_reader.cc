#include "encoding/exposition_reader.h"

#include <fmt/format.h>

#include <utility>

#include "base/ascii.h"
#include "base/text.h"
#include "encoding/sample_line.h"

namespace encoding {
namespace {

std::string_view text_of(SampleMistake mistake) {
  switch (mistake) {
    case SampleMistake::none: return "";
    case SampleMistake::no_name: return "begins with no metric name";
    case SampleMistake::no_label:
    case SampleMistake::no_quotes:
    case SampleMistake::open_quotes:
    case SampleMistake::no_separator: return "has broken labels";
    case SampleMistake::no_number: return "has no value";
  }
  return "";
}

}  // namespace

base::Result<std::size_t> read_exposition(std::string_view text, ExpositionFormat format,
                                          const ExpositionFilter& filter) {
  std::size_t samples = 0, number_of_line = 0;
  bool ended = false, wanted = false;
  const std::function<bool(std::string_view)> wants = [&](std::string_view name) {
    return wanted = filter.wants(name);
  };
  while (!text.empty()) {
    std::string_view line = base::take_line(text);
    ++number_of_line;
    if (line.ends_with("\r")) line.remove_suffix(1);
    ended = line == "# EOF";
    if (line.find_first_not_of(" \t") == std::string_view::npos || line[0] == '#') continue;
    SampleLine sample;
    wanted = false;  // names in quotes (UTF-8) have no place in our own exposition: they are passed over
    const SampleMistake mistake = read_sample_line(line, wants, sample);
    if (mistake != SampleMistake::none)
      return base::fail(base::Kind::protocol,
                        fmt::format("line {} {}: {}", number_of_line, text_of(mistake), base::shown(line)));
    if (wanted) filter.take({sample.name, std::move(sample.labels), sample.value});
    ++samples;
  }
  if (format == ExpositionFormat::open_metrics && !ended)
    return base::fail(base::Kind::protocol, "the metrics were cut off: there is no # EOF at their end");
  return samples;
}

}  // namespace encoding
