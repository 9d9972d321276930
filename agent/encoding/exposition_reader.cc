#include "encoding/exposition_reader.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>
#include <optional>

#include "base/ascii.h"
#include "base/text.h"

namespace encoding {
namespace {

bool is_name_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == ':'; }

void skip_blanks(std::string_view& text) {
  while (!text.empty() && (text[0] == ' ' || text[0] == '\t')) text.remove_prefix(1);
}

std::string_view take_name(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && is_name_char(text[size])) ++size;
  const std::string_view name = text.substr(0, size);
  text.remove_prefix(size);
  return name;
}

// The string whose opening quote is at the front; nothing if it does not end.
std::optional<std::string> take_quoted(std::string_view& text) {
  std::string out;
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '"') {
      text.remove_prefix(at + 1);
      return out;
    }
    if (text[at] == '\\' && at + 1 < text.size()) {
      ++at;
      if (text[at] == 'n') out += '\n';
      else if (text[at] == '\\' || text[at] == '"') out += text[at];
      else (out += '\\') += text[at];
    } else {
      out += text[at];
    }
  }
  return std::nullopt;
}

// {a="1",b="2"} at the front. False if it is broken.
bool take_labels(std::string_view& text, std::vector<std::pair<std::string, std::string>>& labels) {
  text.remove_prefix(1);
  for (skip_blanks(text); !text.starts_with("}"); skip_blanks(text)) {
    const std::string_view name = take_name(text);
    skip_blanks(text);
    if (name.empty() || !text.starts_with("=")) return false;
    text.remove_prefix(1);
    skip_blanks(text);
    if (!text.starts_with("\"")) return false;
    auto value = take_quoted(text);
    if (!value) return false;
    labels.emplace_back(name, std::move(*value));
    skip_blanks(text);
    if (text.starts_with(",")) text.remove_prefix(1);
    else if (!text.starts_with("}")) return false;
  }
  text.remove_prefix(1);
  return true;
}

// Past {…}, whatever is in it.
bool skip_labels(std::string_view& text) {
  bool quoted = false;
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (quoted && text[at] == '\\') ++at;
    else if (text[at] == '"') quoted = !quoted;
    else if (!quoted && text[at] == '}') {
      text.remove_prefix(at + 1);
      return true;
    }
  }
  return false;
}

std::optional<double> number(std::string_view text) {
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text.starts_with("+")) text.remove_prefix(1);
  if (base::same_word(text, "Inf")) return std::numeric_limits<double>::infinity();
  if (base::same_word(text, "-Inf")) return -std::numeric_limits<double>::infinity();
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "" or what is wrong with the line of a sample.
std::string read_sample(std::string_view line, const ExpositionFilter& filter) {
  ScrapedSample sample;
  skip_blanks(line);
  sample.name = take_name(line);
  // Names in quotes (UTF-8) have no place in our own exposition: they are passed over.
  const bool quoted_name = sample.name.empty() && line.starts_with("{\"");
  if (!quoted_name && (sample.name.empty() || std::isdigit(static_cast<unsigned char>(sample.name[0]))))
    return "begins with no metric name";
  const bool wanted = !quoted_name && filter.wants(sample.name);
  skip_blanks(line);
  if (line.starts_with("{") && !(wanted ? take_labels(line, sample.labels) : skip_labels(line)))
    return "has broken labels";
  skip_blanks(line);
  const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
  const auto value = number(line.substr(0, end));
  if (!value) return "has no value";
  sample.value = *value;
  if (wanted) filter.take(sample);
  return "";
}

}  // namespace

base::Result<std::size_t> read_exposition(std::string_view text, ExpositionFormat format,
                                          const ExpositionFilter& filter) {
  std::size_t samples = 0, number_of_line = 0;
  bool ended = false;
  while (!text.empty()) {
    std::string_view line = base::take_line(text);
    ++number_of_line;
    if (line.ends_with("\r")) line.remove_suffix(1);
    ended = line == "# EOF";
    if (line.find_first_not_of(" \t") == std::string_view::npos || line[0] == '#') continue;
    const std::string wrong = read_sample(line, filter);
    if (!wrong.empty())
      return base::fail(base::Kind::protocol,
                        "line " + std::to_string(number_of_line) + " " + wrong + ": " + base::shown(line));
    ++samples;
  }
  if (format == ExpositionFormat::open_metrics && !ended)
    return base::fail(base::Kind::protocol, "the metrics were cut off: there is no # EOF at their end");
  return samples;
}

}  // namespace encoding
