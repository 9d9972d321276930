#include "app/check.h"

#include <fmt/format.h>

#include <cstdio>
#include <optional>
#include <string_view>

#include "app/config_lint.h"
#include "app/discovered_now.h"
#include "app/loaded_config.h"
#include "app/probe_surroundings.h"
#include "app/series_sources.h"
#include "app/store_watch.h"
#include "base/ascii.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/terminal.h"
#include "base/text.h"
#include "encoding/json.h"
#include "model/agent_defaults.h"
#include "probe/registry.h"
#include "probe/run_once.h"
#include "promql/value.h"
#include "recover/plan/plan_spec.h"
#include "recover/polkit.h"
#include "recover/registry.h"
#include "rules/tools/rule_lint.h"

namespace app {
namespace {

constexpr int kUnknown = 3;  // Nagios: the check itself could not be made

// "1 service", "2 services"
std::string count(std::size_t number, std::string_view what) {
  return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

bool loaded_well(const std::string& file, LoadedConfig& out, config::Errors& errors,
                 base::OutputForm form = base::OutputForm::text) {
  out = load(file, errors);
  warn_of_units(out, unit_folders(), errors);
  if (form == base::OutputForm::json) return errors.empty();
  for (const std::string& warning : errors.warnings()) base::print(stderr, "{} (warning)\n", warning);
  if (errors.empty()) return true;
  base::print(stderr, "{}", errors.text());
  return false;
}

// "order/http" in the file, "edge/http@10.0.0.7:8081" of a list of targets, or a probe put together from the words of
// the command line.
base::Result<probe::Spec> find_spec(const std::string& config_file, const std::vector<std::string>& arguments) {
  const std::size_t slash = arguments[0].find('/');
  if (slash == std::string::npos || arguments.size() > 1) {
    const bool has_target = arguments.size() > 1 && !probe::is_setting(arguments[1]);
    const auto keys = arguments.begin() + (has_target ? 2 : 1);
    return probe::spec_from_arguments(arguments[0], has_target ? arguments[1] : "", {keys, arguments.end()});
  }
  const std::string file = config_file.empty() ? std::string(model::kConfigFile) : config_file;
  config::Errors errors;
  LoadedConfig loaded = load(file, errors);
  if (!errors.empty()) return base::fail(base::Kind::invalid, errors.text());
  const std::string broken_lists = add_discovered(loaded);
  std::string known;
  for (probe::Spec& spec : loaded.probes) {
    const std::string name = spec.service + "/" + spec.name;
    if (name == arguments[0]) return std::move(spec);
    known += (known.empty() ? "" : ", ") + name;
  }
  return base::fail(base::Kind::not_found, fmt::format("there is no probe {} in {}; there are: {}{}{}", arguments[0],
                                                       file, known, broken_lists.empty() ? "" : "\n", broken_lists));
}

void print_outcome(const probe::Spec& spec, const model::Outcome& outcome) {
  base::print(stdout, "{} {}/{} {}\n", outcome.up ? "UP" : "DOWN", spec.service, spec.name, outcome.text);
  if (!outcome.up) base::print(stdout, "reason    {}\n", model::to_string(outcome.reason));
  base::print(stdout, "target    {}\n",
              base::foreign_text(base::without_secrets(spec.settings->target()), model::kTextLimit));
  base::print(stdout, "took      {:.3f} ms\n", base::seconds(outcome.took) * 1e3);
  for (const model::Phase& phase : outcome.phases)
    base::print(stdout, "  {:<12} {:.3f} ms\n", phase.name, base::seconds(phase.took) * 1e3);
  for (const model::Measurement& m : outcome.measurements)
    base::print(stdout, "{} {}\n", m.labels.with(model::kMetricName, m.name).to_string(), m.value);
}

void print_outcome_as_json(const probe::Spec& spec, const model::Outcome& outcome) {
  encoding::Json json;
  json.object([&] {
    json.key("service").string(spec.service);
    json.key("probe").string(spec.name);
    json.key("target").string(base::foreign_text(base::without_secrets(spec.settings->target()), model::kTextLimit));
    json.key("up").boolean(outcome.up);
    json.key("reason").string(outcome.up ? "" : model::to_string(outcome.reason));
    json.key("text").string(outcome.text);
    json.key("took").number(base::seconds(outcome.took));
    json.key("phases").object([&] {
      for (const model::Phase& phase : outcome.phases) json.key(phase.name).number(base::seconds(phase.took));
    });
    json.key("measurements").array([&] {
      for (const model::Measurement& m : outcome.measurements)
        json.object([&] {
          json.key("metric").labels(m.labels.with(model::kMetricName, m.name));
          json.key("value").string(promql::format_value(m.value));
        });
    });
  });
  base::print(stdout, "{}\n", json.text());
}

// What a check of a configuration has to say.
struct Checked {
  std::vector<std::string> warnings, mistakes;  // a line each
  std::string summary;                          // "ok: 2 services, …"; "" with mistakes
  std::string too_many_series;                  // "" if they fit
  std::vector<rules::Finding> findings;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  for (std::string_view left = text; !left.empty();) out.emplace_back(base::take_line(left));
  return out;
}

Checked checked(const std::string& file, const rules::CheckOptions& options) {
  Checked out;
  config::Errors errors;
  LoadedConfig loaded = load(file, errors);
  warn_of_units(loaded, unit_folders(), errors);
  out.warnings = errors.warnings();
  out.mistakes = errors.lines();
  if (!out.mistakes.empty()) return out;
  std::size_t rules = 0;
  for (const rules::CompiledGroupPtr& group : loaded.groups) rules += rules::rule_count(*group);
  const rules::SeriesSources sources = series_sources(loaded);
  out.mistakes = lines_of(add_discovered(loaded));
  if (!out.mistakes.empty()) return out;
  const std::size_t included = loaded.config.included.size();
  out.summary = fmt::format("{}{}: ok: {}, {}, {}, {}, {} in {}", file,
                            included == 0 ? "" : fmt::format(" with {} of include", count(included, "file")),
                            count(loaded.config.services.size(), "service"), count(loaded.probes.size(), "probe"),
                            count(loaded.plans.size(), "recovery plan"), count(loaded.notifications.names, "receiver"),
                            count(rules, "rule"), count(loaded.groups.size(), "group"));
  std::vector<const probe::Spec*> probes;
  for (const probe::Spec& spec : loaded.probes) probes.push_back(&spec);
  out.too_many_series = too_many_series(probes, loaded.config.storage.max_series);
  rules::CheckOptions with_sources = options;
  with_sources.sources = &sources;
  // All files run in one agent: what stands twice in two of them is a duplicate too.
  std::vector<std::vector<rules::CompiledGroupPtr>> as_one;
  as_one.push_back(std::move(loaded.groups));
  out.findings = rules::lint(as_one, with_sources);
  return out;
}

void print_text(const std::string& file, const Checked& found, base::Colour colour) {
  for (const std::string& warning : found.warnings) base::print(stderr, "{} (warning)\n", warning);
  for (const std::string& mistake : found.mistakes) base::print(stderr, "{}\n", mistake);
  if (!found.mistakes.empty()) return;
  base::print(stdout, "{}\n", found.summary);
  if (!found.too_many_series.empty()) base::print(stdout, "{}: warning: {}\n", file, found.too_many_series);
  for (const rules::Finding& finding : rules::in_brief(found.findings, file))
    base::print(stdout, "{}\n", rules::painted(finding, colour));
}

void write_json(const std::string& file, const Checked& found, encoding::Json& json) {
  const auto list = [&](const char* key, const std::vector<std::string>& texts) {
    json.key(key).array([&] {
      for (const std::string& text : texts) json.string(text);
    });
  };
  std::vector<std::string> warnings = found.warnings, findings;
  if (!found.too_many_series.empty()) warnings.push_back(file + ": " + found.too_many_series);
  for (const rules::Finding& finding : found.findings) findings.push_back(rules::painted(finding, base::Colour::never));
  json.object([&] {
    json.key("file").string(file);
    json.key("ok").boolean(found.mistakes.empty());
    list("mistakes", found.mistakes);
    list("warnings", warnings);
    list("findings", findings);
  });
}

// What `check rules` says where it does not get to the rules.
int print_broken_config(const std::string& file, const config::Errors& errors) {
  encoding::Json json;
  json.object([&] {
    json.key("ok").boolean(false);
    json.key("files").array([&] { write_json(file, {errors.warnings(), errors.lines(), "", "", {}}, json); });
  });
  base::print(stdout, "{}\n", json.text());
  return 1;
}

}  // namespace

int check_config(const std::string& file, const rules::CheckOptions& options, base::OutputForm form) {
  const Checked found = checked(file, options);
  if (form == base::OutputForm::json) {
    encoding::Json json;
    write_json(file, found, json);
    base::print(stdout, "{}\n", json.text());
  } else {
    print_text(file, found, options.colour);
  }
  if (!found.mistakes.empty()) return 1;
  return options.verdict == rules::LintVerdict::fatal && !found.findings.empty() ? rules::kLintFailed : 0;
}

int check_rules(const std::vector<std::string>& files, const std::string& config_file, rules::CheckOptions options,
                std::optional<promql::Compat> compat) {
  options.compat = compat.value_or(options.compat);
  if (config_file.empty()) return rules::check_rules(files, options, stdout, stderr);
  LoadedConfig loaded;
  config::Errors errors;
  if (!loaded_well(config_file, loaded, errors, options.form))
    return options.form == base::OutputForm::json ? print_broken_config(config_file, errors) : 1;
  const rules::SeriesSources sources = series_sources(loaded);
  options.sources = &sources;
  options.compat = compat.value_or(compat_of(loaded.config));
  return rules::check_rules(files, options, stdout, stderr);
}

int print_polkit(const std::string& file) {
  LoadedConfig loaded;
  config::Errors errors;
  if (!loaded_well(file, loaded, errors)) return 1;
  std::vector<recover::SystemdJob> jobs;
  for (const auto& plan : loaded.plans)
    for (const auto* steps : {&plan->steps, &plan->finally})
      for (const recover::Step& step : *steps)
        for (recover::SystemdJob& job : recover::jobs_of(*step.action)) jobs.push_back(std::move(job));
  for (const auto& traffic : loaded.traffic)
    for (const auto& place : traffic->places)
      if (const auto job = place->systemd_job()) jobs.push_back(*job);
  for (const recover::ConfiguredFault& drill : loaded.fault_drills)
    for (const auto& [name, service] : loaded.config.services)
      if (name == drill->service)
        for (const char* verb : {"kill", "start"}) jobs.push_back({verb, service.unit});
  base::print(stdout, "{}", recover::polkit_rule(jobs, file, "fettle"));
  return 0;
}

int probe_once(const std::string& config_file, const std::vector<std::string>& arguments, base::OutputForm form) {
  auto spec = find_spec(config_file, arguments);
  if (!spec) {
    base::print(stderr, "fettle probe: {}\n", spec.error().text);
    return kUnknown;
  }
  ProbeSurroundings surroundings;
  std::optional<model::Outcome> outcome;
  const auto attempt = probe::run_once(surroundings.context, *spec, [&](model::Outcome found) {
    outcome = std::move(found);
    surroundings.loop.stop();
  });
  surroundings.loop.run();
  if (form == base::OutputForm::json) print_outcome_as_json(*spec, *outcome);
  else print_outcome(*spec, *outcome);
  return probe::nagios_exit_code(*outcome);
}

}  // namespace app
