#include "encoding/exposition_families.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "base/ascii.h"
#include "encoding/sample_line.h"

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
  tl::unexpected<base::Error> fail(std::string_view what) const {
    return base::fail(base::Kind::invalid, fmt::format("line {}: {}", number, what));
  }
};

std::string_view text_of(SampleError mistake) {
  switch (mistake) {
    case SampleError::none: return "";
    case SampleError::no_name: return "a sample must begin with a metric name";
    case SampleError::no_label: return "expected a label as name=\"value\"";
    case SampleError::no_quotes: return "a label value must stand in double quotes";
    case SampleError::open_quotes: return "a label value is not closed";
    case SampleError::no_separator: return "expected , or } after a label";
    case SampleError::no_number: return "the value is no number";
  }
  return "";
}

base::Result<ExposedSample> read_sample(const Line& line, bool open_metrics) {
  static const std::function<bool(std::string_view)> all = [](std::string_view) { return true; };
  SampleLine read;
  SampleError mistake = read_sample_line(line.rest, all, read);
  if (mistake == SampleError::none && read.name.empty()) mistake = SampleError::no_name;  // it stands in quotes
  if (mistake != SampleError::none) return line.fail(text_of(mistake));
  ExposedSample sample;
  sample.line = line.number;
  sample.value = read.value;
  if (!read.time.empty()) {
    const auto t = read_sample_number(read.time);
    if (!t) return line.fail("the time stamp is no number");
    sample.t = std::llround(open_metrics ? *t * 1e3 : *t);
  }
  std::vector<model::Label> views{{model::kMetricName, read.name}};
  for (const auto& [label, value] : read.labels) views.push_back({label, value});
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
    line.rest.remove_prefix(1);
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
