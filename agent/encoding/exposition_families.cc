#include "encoding/exposition_families.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "base/ascii.h"

namespace encoding {
namespace {

struct Line {
  std::string_view rest;
  std::size_t number;

  void skip_blanks() {
    while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t')) rest.remove_prefix(1);
  }
  std::string_view word() {
    skip_blanks();
    const std::size_t end = std::min(rest.find_first_of(" \t"), rest.size());
    const std::string_view out = rest.substr(0, end);
    rest.remove_prefix(end);
    return out;
  }
  bool take(char c) {
    skip_blanks();
    if (rest.empty() || rest.front() != c) return false;
    rest.remove_prefix(1);
    return true;
  }
  std::string_view name() {
    skip_blanks();
    std::size_t end = 0;
    while (end < rest.size() &&
           (std::isalnum(static_cast<unsigned char>(rest[end])) || rest[end] == '_' || rest[end] == ':'))
      ++end;
    const std::string_view out = rest.substr(0, end);
    rest.remove_prefix(end);
    return out;
  }
  tl::unexpected<base::Error> fail(std::string_view what) const {
    return base::fail(base::Kind::invalid, fmt::format("line {}: {}", number, what));
  }
};

bool read_value(std::string_view text, double& out) {
  if (text == "+Inf" || text == "Inf" || text == "-Inf") {
    out = text[0] == '-' ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
    return true;
  }
  if (text == "NaN") {
    out = std::numeric_limits<double>::quiet_NaN();
    return true;
  }
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  return ec == std::errc{} && end == text.data() + text.size();
}

base::Result<std::string> quoted(Line& line) {
  if (!line.take('"')) return line.fail("a label value must stand in double quotes");
  std::string out;
  while (!line.rest.empty() && line.rest.front() != '"') {
    char c = line.rest.front();
    line.rest.remove_prefix(1);
    if (c == '\\') {
      if (line.rest.empty()) break;
      c = line.rest.front() == 'n' ? '\n' : line.rest.front();
      line.rest.remove_prefix(1);
    }
    out += c;
  }
  if (!line.take('"')) return line.fail("a label value is not closed");
  return out;
}

base::Result<ExposedSample> read_sample(Line line, bool open_metrics) {
  ExposedSample sample;
  sample.line = line.number;
  const std::string name(line.name());
  if (name.empty()) return line.fail("a sample must begin with a metric name");
  std::vector<std::pair<std::string, std::string>> labels{{std::string(model::kMetricName), name}};
  if (line.take('{')) {
    while (!line.take('}')) {
      const std::string label(line.name());
      if (label.empty() || !line.take('=')) return line.fail("expected a label as name=\"value\"");
      TRY(std::string value, quoted(line));
      labels.emplace_back(label, std::move(value));
      if (!line.take(',') && (line.skip_blanks(), line.rest.empty() || line.rest.front() != '}'))
        return line.fail("expected , or } after a label");
    }
  }
  if (!read_value(line.word(), sample.value)) return line.fail("the value is no number");
  const std::string_view stamp = line.word();
  if (!stamp.empty() && stamp != "#") {
    double t = 0;
    if (!read_value(stamp, t)) return line.fail("the time stamp is no number");
    sample.t = std::llround(open_metrics ? t * 1e3 : t);
  }
  std::vector<model::Label> views;
  for (const auto& [label, value] : labels) views.push_back({label, value});
  sample.labels = model::Labels(std::move(views));
  return sample;
}

// The family a sample's name belongs to, given the families that were declared.
std::string family_of(std::string_view name, const std::map<std::string, std::size_t>& declared,
                      const std::vector<ExposedFamily>& families) {
  if (declared.contains(std::string(name))) return std::string(name);
  for (const std::string_view suffix : {"_total", "_bucket", "_sum", "_count", "_info", "_created"}) {
    if (!name.ends_with(suffix)) continue;
    const std::string stem(name.substr(0, name.size() - suffix.size()));
    const auto found = declared.find(stem);
    if (found != declared.end() && families[found->second].type != "gauge") return stem;
  }
  return std::string(name);
}

}  // namespace

base::Result<std::vector<ExposedFamily>> parse_exposition(std::string_view text) {
  const bool open_metrics = text.find("\n# EOF") != std::string_view::npos || text.starts_with("# EOF");
  std::vector<ExposedFamily> families;
  std::map<std::string, std::size_t> index;
  const auto family = [&](const std::string& name) -> ExposedFamily& {
    const auto [at, is_new] = index.try_emplace(name, families.size());
    if (is_new) families.push_back({name, "", "", "", {}});
    return families[at->second];
  };
  std::size_t number = 0;
  while (!text.empty()) {
    Line line{base::take_line(text), ++number};
    if (line.rest.ends_with('\r')) return line.fail("lines must end in \\n alone");
    line.skip_blanks();
    if (line.rest.empty()) continue;
    if (line.rest.front() != '#') {
      TRY(ExposedSample sample, read_sample(line, open_metrics));
      family(family_of(sample.labels.metric_name(), index, families)).samples.push_back(std::move(sample));
      continue;
    }
    line.take('#');
    const std::string_view keyword = line.word();
    if (keyword == "EOF") break;
    if (keyword != "HELP" && keyword != "TYPE" && keyword != "UNIT") continue;  // a comment
    ExposedFamily& named = family(std::string(line.word()));
    line.skip_blanks();
    std::string& field = keyword == "HELP" ? named.help : keyword == "TYPE" ? named.type : named.unit;
    if (!field.empty()) return line.fail(fmt::format("a second {} for {}", keyword, named.name));
    field = line.rest;
  }
  return families;
}

std::vector<std::string> lint(const std::vector<ExposedFamily>& families) {
  std::vector<std::string> findings;
  for (const ExposedFamily& family : families) {
    const auto find = [&](std::string_view what) { findings.push_back(fmt::format("{}: {}", family.name, what)); };
    const bool counter = family.type == "counter";
    const std::string& name = family.name;
    if (family.help.empty()) find("no help text");
    if (family.type.empty()) find("no TYPE");
    if (counter && !family.samples.empty() && !family.samples.front().labels.metric_name().ends_with("_total"))
      find("counter metrics should have \"_total\" suffix");
    if (!counter && name.ends_with("_total")) find("non-counter metrics should not have \"_total\" suffix");
    for (const char c : name)
      if (c >= 'A' && c <= 'Z') {
        find("metric names should be written in snake_case");
        break;
      }
    for (const std::string_view unit :
         {"_milliseconds", "_ms", "_minutes", "_hours", "_days", "_kilobytes", "_megabytes"})
      if (name.ends_with(unit)) find(fmt::format("use base units: seconds or bytes instead of \"{}\"", unit.substr(1)));
    std::set<model::Labels> seen;
    for (const ExposedSample& sample : family.samples)
      if (!seen.insert(sample.labels).second && !sample.t)
        find(fmt::format("the series {} stands twice", sample.labels.to_string()));
  }
  return findings;
}

}  // namespace encoding
