#include "rules/tools/series_sources.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/edit_distance.h"
#include "rules/compiled.h"

namespace rules {
namespace {

using Matchers = std::vector<model::Matcher>;

// More values than these are not listed in a hint.
constexpr std::size_t kMostListed = 8;

bool accepts(const Matchers& selector, std::string_view label, std::string_view value) {
  return std::all_of(selector.begin(), selector.end(),
                     [&](const model::Matcher& matcher) { return matcher.name() != label || matcher.matches(value); });
}

bool names_fit(const SeriesSource& source, const Matchers& selector) {
  return source.kind == SeriesSource::Names::any ||
         std::any_of(source.names.begin(), source.names.end(),
                     [&](const std::string& name) { return accepts(selector, model::kMetricName, name); });
}

bool label_fits(const std::set<std::string>& values, const Matchers& selector, const std::string& label) {
  return std::any_of(values.begin(), values.end(),
                     [&](const std::string& value) { return accepts(selector, label, value); });
}

bool labels_fit(const SeriesSource& source, const Matchers& selector) {
  return std::all_of(source.labels.begin(), source.labels.end(),
                     [&](const auto& label) { return label_fits(label.second, selector, label.first); });
}

// The text that a matcher asks for, if it is one.
const std::string* literal(const Matchers& selector, std::string_view label) {
  for (const model::Matcher& matcher : selector)
    if (matcher.name() == label && matcher.op() == model::MatchOp::equal) return &matcher.value();
  return nullptr;
}

std::string did_you_mean(const std::string* wrong, const std::vector<std::string>& known) {
  const std::string near = wrong ? base::nearest(*wrong, known) : "";
  return near.empty() ? "" : fmt::format("; did you mean {}?", near);
}

SeriesSource alert_source(const std::string& series, const std::string& alert) {
  SeriesSource source{SeriesSource::Names::listed, {series}, {{"alertname", {alert}}}};
  if (series == "ALERTS") source.labels["alertstate"] = {"pending", "firing"};
  return source;
}

}  // namespace

void SeriesSources::add_rules(const std::vector<CompiledGroupPtr>& groups) {
  for (const CompiledGroupPtr& group : groups)
    for (const CompiledRule& rule : group->rules) {
      if (rule.alerting()) {
        for (const char* series : {"ALERTS", "ALERTS_FOR_STATE"}) add(alert_source(series, rule.name()));
        continue;
      }
      SeriesSource source{SeriesSource::Names::listed, {rule.name()}, {}};
      for (const auto& [label, value] : rule.fixed) source.labels[label] = {value};
      add(std::move(source));
    }
}

std::map<std::string, SeriesSources> SeriesSources::narrowed(const std::string& label,
                                                             const std::vector<std::string>& values) const {
  std::map<std::string, SeriesSources> out;
  for (const std::string& value : values) out[value];
  for (const SeriesSource& source : sources_) {
    SeriesSource one{source.kind, source.names, {}};
    for (const auto& each : source.labels)
      if (each.first != label) one.labels.insert(each);
    const auto add_to = [&](const std::string& value, SeriesSources& sources) {
      one.labels[label] = {value};
      sources.add(one);
    };
    if (const auto known = source.labels.find(label); known != source.labels.end()) {
      for (const std::string& value : known->second)
        if (const auto wanted = out.find(value); wanted != out.end()) add_to(value, wanted->second);
    } else {
      for (auto& [value, sources] : out) add_to(value, sources);
    }
  }
  return out;
}

bool SeriesSources::can_make(const Matchers& selector) const {
  return std::any_of(sources_.begin(), sources_.end(), [&](const SeriesSource& source) {
    return names_fit(source, selector) && labels_fit(source, selector);
  });
}

std::string SeriesSources::hint(const Matchers& selector) const {
  std::map<std::string, std::set<std::string>> values;  // of the labels of sources with the right name
  std::set<std::string> names;
  std::size_t candidates = 0;
  for (const SeriesSource& source : sources_) {
    names.insert(source.names.begin(), source.names.end());
    if (!names_fit(source, selector)) continue;
    ++candidates;
    for (const auto& [label, possible] : source.labels) values[label].insert(possible.begin(), possible.end());
  }
  const std::string* name = literal(selector, model::kMetricName);
  if (candidates == 0) {
    if (name && (*name == "up" || name->starts_with("scrape_")))
      return "; Prometheus makes it when it scrapes, and an agent does not scrape: use fettle_service_up or "
             "probe_success";
    return did_you_mean(name, {names.begin(), names.end()});
  }
  for (const auto& [label, possible] : values) {
    const bool closed =
        std::all_of(sources_.begin(), sources_.end(), [&, &name_of = label](const SeriesSource& source) {
          return !names_fit(source, selector) || source.labels.contains(name_of);
        });
    if (!closed || label_fits(possible, selector, label)) continue;
    std::vector<std::string> known(possible.begin(), possible.end());
    std::erase(known, "");
    const std::string suggestion = did_you_mean(literal(selector, label), known);
    if (known.empty()) return fmt::format("; it has no label {}", label);
    if (known.size() > kMostListed) known.resize(kMostListed), known.emplace_back("…");
    return fmt::format("; its {} here is {}{}", label, fmt::join(known, " or "), suggestion);
  }
  return "; no series of it has these labels together";
}

}  // namespace rules
