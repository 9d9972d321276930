#include "app/audit/audit.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <utility>

#include "app/audit/alert_gaps.h"
#include "app/audit/node_gaps.h"
#include "app/config_lint.h"
#include "app/discovered_now.h"
#include "app/series_sources.h"
#include "base/ascii.h"
#include "base/terminal.h"
#include "base/text.h"
#include "encoding/json.h"

namespace app {
namespace {

constexpr std::size_t kLongest = 4'096;  // of a line

struct Audited {
  std::vector<std::string> mistakes, warnings, notes;
  std::vector<Finding> findings;
};

Audited audited(const AuditOptions& options) {
  Audited out;
  config::Errors errors;
  LoadedConfig loaded = load(options.file, errors);
  warn_of_units(loaded, unit_folders(), errors);
  out.warnings = errors.warnings();
  out.mistakes = errors.lines();
  if (!out.mistakes.empty()) return out;
  const rules::SeriesSources sources = series_sources(loaded);
  // What a list of targets cannot say is not covered for certain; the rest is.
  const std::string broken = add_discovered(loaded);
  for (std::string_view left = broken; !left.empty();) out.notes.emplace_back(base::take_line(left));
  NodeView node = look_at_node();
  out.findings = find_gaps(node, loaded, sources);
  std::erase_if(out.findings, [&](const Finding& finding) {
    return std::find(options.skip.begin(), options.skip.end(), to_string(finding.gap)) != options.skip.end();
  });
  std::move(node.unseen.begin(), node.unseen.end(), std::back_inserter(out.notes));
  return out;
}

std::string summary(const AuditOptions& options, const std::vector<Finding>& findings) {
  if (findings.empty()) return fmt::format("{}: no gap was found", options.file);
  std::vector<std::string> counts;
  for (const Severity severity : {Severity::critical, Severity::warning, Severity::info})
    if (const auto count = std::count_if(findings.begin(), findings.end(),
                                         [&](const Finding& each) { return each.severity == severity; });
        count > 0)
      counts.push_back(fmt::format("{} {}", count, to_string(severity)));
  return fmt::format("{}: {}", options.file, fmt::join(counts, ", "));
}

int print_text(const AuditOptions& options, const Audited& found) {
  for (const std::string& warning : found.warnings) base::print(stderr, "{} (warning)\n", warning);
  for (const std::string& mistake : found.mistakes) base::print(stderr, "{}\n", mistake);
  if (!found.mistakes.empty()) return 1;
  for (const std::string& note : found.notes) base::print(stderr, "fettle audit: {}\n", note);
  for (const Finding& each : found.findings)
    base::print(stdout, "{}\n", base::foreign_text(each.to_string(), kLongest));
  base::print(stdout, "{}\n", summary(options, found.findings));
  return found.findings.empty() ? 0 : 1;
}

void write_finding(const Finding& finding, encoding::Json& json) {
  const auto text = [&](const char* key, std::string_view value) {
    json.key(key).string(base::foreign_text(value, kLongest));
  };
  json.object([&] {
    text("severity", to_string(finding.severity));
    text("gap", to_string(finding.gap));
    text("file", finding.at.file);
    json.key("line").number(static_cast<double>(finding.at.line));
    json.key("column").number(static_cast<double>(finding.at.column));
    text("path", finding.path);
    text("what", finding.what);
    text("fix", finding.fix);
  });
}

int print_json(const AuditOptions& options, const Audited& found) {
  const bool ok = found.mistakes.empty() && found.findings.empty();
  encoding::Json json;
  const auto list = [&](const char* key, const std::vector<std::string>& texts) {
    json.key(key).array([&] {
      for (const std::string& text : texts) json.string(text);
    });
  };
  json.object([&] {
    json.key("file").string(options.file);
    json.key("ok").boolean(ok);
    list("mistakes", found.mistakes);
    list("warnings", found.warnings);
    json.key("findings").array([&] {
      for (const Finding& each : found.findings) write_finding(each, json);
    });
    list("notes", found.notes);
  });
  base::print(stdout, "{}\n", json.text());
  return ok ? 0 : 1;
}

}  // namespace

int audit(const AuditOptions& options) {
  const Audited found = audited(options);
  return options.form == base::OutputForm::json ? print_json(options, found) : print_text(options, found);
}

std::vector<Finding> find_gaps(const NodeView& node, const LoadedConfig& loaded, const rules::SeriesSources& sources) {
  std::vector<Finding> out = node_gaps(node, loaded);
  for (Finding& finding : alert_gaps(loaded, sources)) out.push_back(std::move(finding));
  sort(out);
  return out;
}

}  // namespace app
