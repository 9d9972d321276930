#include "unit/app/documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <regex>
#include <set>
#include <string_view>

#include "app/reference.h"
#include "base/file.h"
#include "fakes/source_file.h"
#include "probe/measurement_help.h"
#include "probe/registry.h"

namespace documents {
namespace {

using Keys = std::vector<config::KeyReference>;

bool same(const config::KeyReference& a, const config::KeyReference& b) { return a.key == b.key && a.help == b.help; }

bool has(const Keys& keys, const config::KeyReference& wanted) {
  return std::any_of(keys.begin(), keys.end(), [&](const auto& key) { return same(key, wanted); });
}

// Those that every type has.
Keys common_keys() {
  Keys out = (*probe::types().begin())->reference();
  for (const probe::Type* type : probe::types())
    std::erase_if(out, [&](const config::KeyReference& key) { return !has(type->reference(), key); });
  return out;
}

std::string measurements_of(const probe::Type& type) {
  std::set<std::string_view> names(type.measurements.begin(), type.measurements.end());
  if (type.other_measurements) names.insert(type.other_measurements->begin(), type.other_measurements->end());
  std::string out;
  for (const std::string_view name : names) out += fmt::format("- `{}`: {}\n", name, probe::help_of(name));
  if (!type.other_measurements) out += "- what it finds besides, under names of its own\n";
  return out.empty() ? "It measures `probe_success` and `probe_duration_seconds`, as all do.\n"
                     : "It measures, beside `probe_success` and `probe_duration_seconds`:\n\n" + out;
}

// The text of adjacent string literals of C++.
std::string literal(const std::string& source) {
  static const std::regex part(R"x("((?:[^"\\]|\\.)*)")x");
  std::string out;
  for (std::sregex_iterator at(source.begin(), source.end(), part), end; at != end; ++at) out += (*at)[1].str();
  for (std::size_t at = out.find("\\\""); at != std::string::npos; at = out.find("\\\"")) out.erase(at, 1);
  return out;
}

void add_from(const std::string& file, const std::string& before, std::map<std::string, Metric>& found) {
  const std::string text = base::read_file(fakes::source_file(file)).value();
  const std::regex entry(before +
                         R"x(\s*"((?:fettle|probe)_[a-z_]+)",\s*((?:"(?:[^"\\]|\\.)*"\s*)+)(?:,\s*\{([^}]*)\})?)x");
  for (std::sregex_iterator at(text.begin(), text.end(), entry), end; at != end; ++at) {
    Metric metric{(*at)[1].str(), literal((*at)[2].str()), ""};
    const std::string labels = (*at)[3].str();
    static const std::regex name(R"x("([a-z_]+)")x");
    if (before.starts_with("Metric"))
      for (std::sregex_iterator each(labels.begin(), labels.end(), name); each != end; ++each)
        metric.labels += (metric.labels.empty() ? "" : ", ") + (*each)[1].str();
    found.emplace(metric.name, metric);
  }
}

// What roff would take for its own.
std::string roff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') out += "\\e";
    else if (c == '-') out += "\\-";
    else out += c;
  }
  if (out.starts_with('.') || out.starts_with('\'')) out.insert(0, "\\&");
  for (std::size_t at = 0; (at = out.find('\n', at)) != std::string::npos; ++at)
    if (at + 1 < out.size() && (out[at + 1] == '.' || out[at + 1] == '\'')) out.insert(at + 1, "\\&");
  return out;
}

void keys_manual(const Keys& keys, std::string& out) {
  for (const config::KeyReference& key : keys) {
    const std::string fallback = key.required ? "required" : "default: " + key.fallback;
    out += fmt::format(".TP\n.B {}\n", roff(key.key));
    out += fmt::format("{}", roff(key.help));
    if (key.inner.empty() || key.required) out += fmt::format(" ({})", roff(fallback));
    out += "\n";
    if (key.inner.empty()) continue;
    out += ".RS\n";
    keys_manual(key.inner, out);
    out += ".RE\n";
  }
}

void metrics_list(const std::vector<Metric>& metrics, std::string& out) {
  for (const Metric& metric : metrics) out += fmt::format(".TP\n.B {}\n{}\n", roff(metric.name), roff(metric.help));
}

}  // namespace

std::string markdown(const std::vector<config::KeyReference>& keys, std::size_t depth) {
  std::string out;
  for (const config::KeyReference& key : keys) {
    std::string kind = " (required)";
    if (!key.required) kind = key.inner.empty() ? fmt::format(" (default: {})", key.fallback) : "";
    out += fmt::format("{}- `{}`{}: {}\n", std::string(2 * depth, ' '), key.key, kind, key.help);
    out += markdown(key.inner, depth + 1);
  }
  return out;
}

std::string probe_types() {
  const Keys common = common_keys();
  std::string out = "## Keys that every probe has\n\n" + markdown(common);
  for (const probe::Type* type : probe::types()) {
    Keys own = type->reference();
    std::erase_if(own, [&](const config::KeyReference& key) { return has(common, key); });
    std::string example(type->example);
    while (example.ends_with('\n')) example.pop_back();
    out += fmt::format("\n## {}\n\n{}\n\n```yaml\n{}\n```\n\n{}\n{}", type->name, type->summary, example,
                       own.empty() ? "It has no keys of its own.\n" : markdown(own), measurements_of(*type));
  }
  return out;
}

std::vector<Metric> probe_metrics() {
  std::map<std::string, Metric> found;
  add_from("agent/app/families.h", "Described k[A-Za-z]+\\{", found);
  for (const probe::Type* type : probe::types()) {
    for (const std::string_view name : type->measurements)
      found[std::string(name)] = {std::string(name), std::string(probe::help_of(name)), ""};
    if (!type->other_measurements) continue;
    for (const std::string_view name : *type->other_measurements)
      found[std::string(name)] = {std::string(name), std::string(probe::help_of(name)), ""};
  }
  std::vector<Metric> out;
  for (auto& [name, metric] : found) out.push_back(std::move(metric));
  return out;
}

std::vector<Metric> agent_metrics() {
  std::map<std::string, Metric> found;
  add_from("agent/self/names.h", "Metric k[A-Za-z]+\\{", found);
  add_from("agent/app/metric_blocks.cc", "add\\(", found);
  add_from("agent/app/snapshot_builder.cc", "add\\(", found);
  add_from("agent/app/drill_view.cc", "add\\(", found);
  add_from("agent/app/standby_view.cc", "add\\(", found);
  add_from("agent/app/rule_metrics.cc", "add\\(", found);
  std::vector<Metric> out;
  for (auto& [name, metric] : found) out.push_back(std::move(metric));
  return out;
}

std::string metrics_markdown() {
  std::string out =
      "Every series has the labels `job` and `instance`, those about a service `service`, those about a probe `probe` "
      "as "
      "well, with the labels of the service's list of targets.\n\n"
      "Counters begin at 0: at the start, or when their service, receiver or group is configured, so that `increase()` "
      "sees "
      "the first event. Born with their first event, because each would be some thirty series for every probe or plan, "
      "are "
      "only: `fettle_probe_failures_total` of other reasons than `agent_overloaded` and `heartbeat_missed`, "
      "`fettle_recovery_blocked_total`, and `fettle_detection_latency_seconds` of other sources than `probe`. For "
      "these "
      "add "
      "the birth yourself, as the boards do: `increase(X[5m]) > 0 or (X == 1 unless X offset 5m)`.\n\n## Of services "
      "and of the agent\n\n"
      "| name | labels besides | meaning |\n| --- | --- | --- |\n";
  for (const Metric& metric : agent_metrics())
    out += fmt::format("| `{}` | {} | {} |\n", metric.name, metric.labels, metric.help);
  out += "\n## Of probes\n\nNames are the blackbox exporter's where it has one.\n\n| name | meaning |\n| --- | --- |\n";
  for (const Metric& metric : probe_metrics()) out += fmt::format("| `{}` | {} |\n", metric.name, metric.help);
  return out;
}

std::string metrics_manual() {
  std::string out =
      ".TH FETTLE-METRICS 7 \"\" fettle \"Miscellaneous\"\n.SH NAME\nfettle\\-metrics \\- metrics of fettle and of its "
      "probes\n.SH DESCRIPTION\nWhat\n.BR fettle (1)\nserves at /metrics. Every series has the labels job and "
      "instance, "
      "those about a service the label service, those about a probe the label probe as well. Counters begin at 0 when "
      "what "
      "they count is configured, but for failures by reason and refused recoveries, which are born with their first "
      "event.\n"
      ".SH SERVICES AND AGENT\n";
  metrics_list(agent_metrics(), out);
  out += ".SH PROBES\n";
  metrics_list(probe_metrics(), out);
  return out + ".SH SEE ALSO\n.BR fettle (1),\n.BR fettle.yml (5)\n";
}

std::string configuration_manual() {
  std::string out =
      ".TH FETTLE.YML 5 \"\" fettle \"File Formats\"\n.SH NAME\nfettle.yml \\- configuration of fettle\n.SH "
      "DESCRIPTION\nYAML.\n.B fettle check config\nnames every mistake with its line and column,\n.B fettle check "
      "config "
      "\\-\\-print\\-reference\n.I TOPIC\nprints one of the sections below.\n";
  for (const config::ReferenceSection& section : app::reference_sections()) {
    std::string title = section.title;
    std::transform(title.begin(), title.end(), title.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    out += fmt::format(".SH {}\n{}\n", roff(title), roff(section.intro));
    if (!section.example.empty()) {
      std::string example = section.example;
      while (example.ends_with('\n')) example.pop_back();
      out += fmt::format(".PP\n.nf\n{}\n.fi\n", roff(example));
    }
    keys_manual(section.keys, out);
  }
  return out + ".SH FILES\n.I /etc/fettle/fettle.yml\n.SH SEE ALSO\n.BR fettle (1),\n.BR fettle\\-metrics (7)\n";
}

}  // namespace documents
