// The shipped rules read only what exists: a metric that was renamed must not leave an alert behind that never fires.
#include <doctest/doctest.h>

#include <regex>
#include <set>
#include <string>

#include "base/file.h"
#include "config/rule_file.h"
#include "fakes/source_file.h"
#include "promql/parser.h"

namespace {

const std::string kTop = fakes::source_file("");

std::string source(const std::string& path) {
  auto text = base::read_file(path);
  REQUIRE_MESSAGE(text.has_value(), path);
  return std::move(*text);
}

void add_matches(const std::string& text, const char* pattern, std::size_t group, std::set<std::string>& out) {
  const std::regex regex(pattern);
  for (std::sregex_iterator at(text.begin(), text.end(), regex), end; at != end; ++at) out.insert((*at)[group]);
}

// The series that the agent about itself has: a histogram's are its buckets, sum and count, never its plain name.
void add_own_metrics(std::set<std::string>& out) {
  std::set<std::string> histograms;
  add_matches(source(kTop + "agent/self/self.cc"), R"(<Histogram>\((k\w+)\))", 1, histograms);
  REQUIRE(!histograms.empty());
  const std::string names = source(kTop + "agent/self/names.h");
  const std::regex metric(R"re(Metric (k\w+)\{\s*"(\w+)")re");
  for (std::sregex_iterator at(names.begin(), names.end(), metric), end; at != end; ++at) {
    const std::string name = (*at)[2];
    if (histograms.contains((*at)[1])) out.insert({name + "_bucket", name + "_sum", name + "_count"});
    else out.insert(name);
  }
}

std::set<std::string> metrics_of_the_agent() {
  std::set<std::string> out;
  add_own_metrics(out);
  for (const char* file : {"agent/app/drill_view.cc", "agent/app/standby_view.cc", "agent/app/families.cc",
                           "agent/app/families.h", "agent/app/metric_blocks.cc", "agent/app/snapshot_builder.cc"})
    add_matches(source(kTop + file), R"re((add\(|Described k\w+\{)\s*"(\w+)")re", 2, out);
  for (const std::string& file : base::glob(kTop + "agent/probe/*/*.cc"))
    add_matches(source(file), R"re("(probe_\w+)")re", 1, out);
  return out;
}

// Names that the rules of a file read, with the rule that does.
std::set<std::pair<std::string, std::string>> metrics_read_by(const std::string& file) {
  std::set<std::pair<std::string, std::string>> out;
  config::Errors errors;
  for (const config::RuleGroup& group : config::load_rule_file(file, errors))
    for (const config::Rule& rule : group.rules) {
      const promql::Parsed parsed = promql::parse(rule.expr);
      REQUIRE_MESSAGE(parsed.ok(), rule.expr);
      for (const promql::Needs& need : promql::needs(*parsed.expr))
        for (const model::Matcher& matcher : need.matchers)
          if (matcher.name() == model::kMetricName) out.emplace(matcher.value(), rule.alert + rule.record);
    }
  REQUIRE_MESSAGE(errors.empty(), errors.text());
  return out;
}

}  // namespace

TEST_CASE("every metric that a shipped rule reads is one that the agent has") {
  const std::set<std::string> known = metrics_of_the_agent();
  CHECK(known.contains("fettle_service_up"));
  CHECK(known.contains("probe_success"));
  CHECK(known.contains("fettle_scheduler_lag_seconds_sum"));
  CHECK_FALSE(known.contains("fettle_scheduler_lag_seconds"));
  const std::vector<std::string> files = base::glob(kTop + "rules/*.yml");
  REQUIRE(!files.empty());
  for (const std::string& file : files)
    for (const auto& row : metrics_read_by(file)) {
      CAPTURE(file);
      CAPTURE(row.second);
      CAPTURE(row.first);
      CHECK(known.contains(row.first));
    }
}
