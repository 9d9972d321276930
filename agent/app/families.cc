#include "app/families.h"

#include <initializer_list>

#include "app/samples.h"
#include "probe/measurement_help.h"

namespace app {
namespace {

using model::MetricType;

struct ScrapedName {
  std::string_view family, suffix;
  MetricType type;
};

// A name whose type says something of its form and that has another one is of no type: who reads the page would
// stumble.
ScrapedName split(std::string_view name, MetricType type) {
  const auto without = [&](std::string_view suffix) { return name.substr(0, name.size() - suffix.size()); };
  const auto first_of = [&](std::initializer_list<std::string_view> suffixes) -> ScrapedName {
    for (const std::string_view suffix : suffixes)
      if (name.ends_with(suffix)) return {without(suffix), suffix, type};
    return {name, "", MetricType::unknown};
  };
  switch (type) {
    case MetricType::counter: return first_of({"_total"});
    case MetricType::info: return first_of({"_info"});
    case MetricType::histogram: return first_of({"_bucket", "_sum", "_count"});
    case MetricType::summary: {
      const ScrapedName part = first_of({"_sum", "_count"});
      return part.suffix.empty() ? ScrapedName{name, "", type} : part;
    }
    case MetricType::gauge:
      for (const std::string_view suffix : {"_total", "_info", "_bucket", "_sum", "_count"})
        if (name.ends_with(suffix)) return {name, "", MetricType::unknown};
      return {name, "", type};
    case MetricType::unknown: break;
  }
  return {name, "", MetricType::unknown};
}

}  // namespace

MeasuredName name_of(const model::Measurement& m) {
  if (m.name.starts_with("probe_")) return {m.name, "", probe::help_of(m.name), MetricType::gauge};
  // An application's own numbers (the prometheus type): what they are was said at their source.
  const ScrapedName of = split(m.name, m.type);
  return {of.family, of.suffix, "As scraped from the service.", of.type};
}

void add_outcome(Families& families, const model::Outcome& outcome, const model::Labels& labels) {
  families.add(kSuccess.name, kSuccess.help, labels, outcome.up ? 1 : 0);
  families.add(kDuration.name, kDuration.help, labels, model::duration_value(outcome.took));
  for (const model::Measurement& m : outcome.measurements) {
    const MeasuredName name = name_of(m);
    families.add(name.family, name.help, with_own_renamed(labels, m.labels), m.value, name.type, name.suffix);
  }
}

}  // namespace app
