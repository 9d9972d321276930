#include "encoding/exposition_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/ascii.h"
#include "base/text.h"
#include "encoding/sample_line.h"

namespace encoding {
namespace {

std::string_view text_of(SampleError mistake) {
  switch (mistake) {
    case SampleError::none: return "";
    case SampleError::no_name: return "begins with no metric name";
    case SampleError::no_label:
    case SampleError::no_quotes:
    case SampleError::open_quotes:
    case SampleError::no_separator: return "has broken labels";
    case SampleError::no_number: return "has no value";
  }
  return "";
}

using model::MetricType;

void skip_blanks(std::string_view& text) { text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size())); }

std::string_view take_word(std::string_view& text) {
  skip_blanks(text);
  const std::string_view word = text.substr(0, text.find_first_of(" \t"));
  text.remove_prefix(word.size());
  return word;
}

struct DeclaredType {
  std::string_view family;
  MetricType type = MetricType::unknown;
};

// # TYPE name type; nothing of another comment.
std::optional<DeclaredType> read_type(std::string_view comment) {
  comment.remove_prefix(1);
  if (take_word(comment) != "TYPE") return std::nullopt;
  DeclaredType declared{take_word(comment)};
  const std::string_view word = take_word(comment);
  for (const auto& [name, type] : {std::pair{"counter", MetricType::counter},
                                   {"gauge", MetricType::gauge},
                                   {"histogram", MetricType::histogram},
                                   {"summary", MetricType::summary},
                                   {"info", MetricType::info}})
    if (word == name) declared.type = type;
  return declared;
}

// A counter is declared by its whole name in the text format, and without _total in OpenMetrics.
MetricType type_of(std::string_view sample, const DeclaredType& declared) {
  if (declared.family.empty() || !sample.starts_with(declared.family)) return MetricType::unknown;
  const std::string_view suffix = sample.substr(declared.family.size());
  const bool parts = suffix == "_sum" || suffix == "_count";
  switch (declared.type) {
    case MetricType::counter: return suffix.empty() || suffix == "_total" ? declared.type : MetricType::unknown;
    case MetricType::histogram: return parts || suffix == "_bucket" ? declared.type : MetricType::unknown;
    case MetricType::summary: return parts || suffix.empty() ? declared.type : MetricType::unknown;
    case MetricType::info: return suffix == "_info" ? declared.type : MetricType::unknown;
    default: return suffix.empty() ? declared.type : MetricType::unknown;
  }
}

}  // namespace

base::Result<std::size_t> read_exposition(std::string_view text, ExpositionFormat format,
                                          const ExpositionFilter& filter) {
  std::size_t samples = 0, number_of_line = 0;
  bool ended = false, wanted = false;
  const std::function<bool(std::string_view)> wants = [&](std::string_view name) {
    return wanted = filter.wants(name);
  };
  DeclaredType declared;  // of the family that the samples are of: they stand together
  while (!text.empty()) {
    std::string_view line = base::take_line(text);
    ++number_of_line;
    if (line.ends_with("\r")) line.remove_suffix(1);
    ended = line == "# EOF";
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    if (line[0] == '#') {
      if (const auto type = read_type(line)) declared = *type;
      continue;
    }
    SampleLine sample;
    wanted = false;  // names in quotes (UTF-8) have no place in our own exposition: they are passed over
    const SampleError mistake = read_sample_line(line, wants, sample);
    if (mistake != SampleError::none)
      return base::fail(base::Kind::protocol,
                        fmt::format("line {} {}: {}", number_of_line, text_of(mistake), base::shown(line)));
    if (wanted) filter.take({sample.name, std::move(sample.labels), sample.value, type_of(sample.name, declared)});
    ++samples;
  }
  if (format == ExpositionFormat::open_metrics && !ended)
    return base::fail(base::Kind::protocol, "the metrics were cut off: there is no # EOF at their end");
  return samples;
}

}  // namespace encoding
