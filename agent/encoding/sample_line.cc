#include "encoding/sample_line.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/ascii.h"
#include "base/number.h"
#include "encoding/escaped_name.h"

namespace encoding {
namespace {

bool is_name_char(char c) { return base::is_alphanumeric(c) || c == '_' || c == ':'; }

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

std::string_view take_word(std::string_view& text) {
  skip_blanks(text);
  const std::string_view word = text.substr(0, text.find_first_of(" \t"));
  text.remove_prefix(word.size());
  return word;
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

// {a="1",b="2"} at the front; a name in quotes is any UTF-8, as from a target that does not ask what its reader knows.
SampleError take_labels(std::string_view& text, std::vector<std::pair<std::string, std::string>>& labels) {
  text.remove_prefix(1);
  for (skip_blanks(text); !text.starts_with("}"); skip_blanks(text)) {
    std::string name;
    if (text.starts_with("\"")) {
      const auto quoted = take_quoted(text);
      if (!quoted) return SampleError::open_quotes;
      name = escaped_label_name(*quoted);
    } else {
      name = take_name(text);
    }
    skip_blanks(text);
    if (name.empty() || !text.starts_with("=")) return SampleError::no_label;
    text.remove_prefix(1);
    skip_blanks(text);
    if (!text.starts_with("\"")) return SampleError::no_quotes;
    auto value = take_quoted(text);
    if (!value) return SampleError::open_quotes;
    labels.emplace_back(std::move(name), std::move(*value));
    skip_blanks(text);
    if (text.starts_with(",")) text.remove_prefix(1);
    else if (!text.starts_with("}")) return SampleError::no_separator;
  }
  text.remove_prefix(1);
  return SampleError::none;
}

// Past {…}, whatever is in it.
SampleError skip_labels(std::string_view& text) {
  bool quoted = false;
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (quoted && text[at] == '\\') ++at;
    else if (text[at] == '"') quoted = !quoted;
    else if (!quoted && text[at] == '}') {
      text.remove_prefix(at + 1);
      return SampleError::none;
    }
  }
  return quoted ? SampleError::open_quotes : SampleError::no_separator;
}

}  // namespace

std::optional<double> read_sample_number(std::string_view text) {
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text.starts_with("+")) text.remove_prefix(1);
  if (base::same_word(text, "Inf")) return std::numeric_limits<double>::infinity();
  if (base::same_word(text, "-Inf")) return -std::numeric_limits<double>::infinity();
  return base::read_number<double>(text);
}

SampleError read_sample_line(std::string_view line, const std::function<bool(std::string_view name)>& wants,
                             SampleLine& out) {
  skip_blanks(line);
  out.name = take_name(line);
  const bool quoted_name = out.name.empty() && line.starts_with("{\"");
  if (!quoted_name && (out.name.empty() || base::is_digit(out.name[0]))) return SampleError::no_name;
  const bool wanted = !quoted_name && wants(out.name);
  skip_blanks(line);
  if (line.starts_with("{"))
    if (const SampleError wrong = wanted ? take_labels(line, out.labels) : skip_labels(line);
        wrong != SampleError::none)
      return wrong;
  const auto value = read_sample_number(take_word(line));
  if (!value) return SampleError::no_number;
  out.value = *value;
  out.time = take_word(line);
  if (out.time == "#") out.time = {};  // an exemplar follows
  return SampleError::none;
}

}  // namespace encoding
