#include "app/check.h"

#include <fmt/format.h>

#include <cstdio>
#include <optional>

#include "app/config_lint.h"
#include "app/loaded_config.h"
#include "app/probe_surroundings.h"
#include "app/series_sources.h"
#include "app/store_watch.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/terminal.h"
#include "base/text.h"
#include "discover/registry.h"
#include "http/http_client.h"
#include "loop/event_loop.h"
#include "model/agent_defaults.h"
#include "net/resolver.h"
#include "os/folder_watch.h"
#include "probe/registry.h"
#include "probe/run_once.h"
#include "recover/plan/plan_spec.h"
#include "recover/polkit.h"
#include "recover/registry.h"

namespace app {
namespace {

constexpr int kUnknown = 3;  // Nagios: the check itself could not be made

// "1 service", "2 services"
std::string count(std::size_t number, std::string_view what) {
  return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

bool loaded_well(const std::string& file, LoadedConfig& out) {
  config::Errors errors;
  out = load(file, errors);
  warn_of_units(out, unit_folders(), errors);
  for (const std::string& warning : errors.warnings()) base::print(stderr, "{} (warning)\n", warning);
  if (errors.empty()) return true;
  base::print(stderr, "{}", errors.text());
  return false;
}

// What the lists of targets say now, as the agent would probe it. The errors of the lists, a line each.
std::string add_discovered(LoadedConfig& loaded) {
  base::log::configure(base::log::Level::error, base::log::Format::logfmt);  // what is wrong is returned
  loop::EventLoop loop;
  os::FolderWatch folders(loop);
  net::AresResolver resolver(loop);
  http::CurlHttpClient http(loop, resolver);
  Discoveries discoveries({loop, folders, http, resolver}, [] {});
  discoveries.replace(std::move(loaded.discoveries), loaded.probes);
  std::string errors;
  const auto add = [&](const std::string& text) { errors += text + (text.ends_with('\n') ? "" : "\n"); };
  for (probe::Spec& spec : discoveries.specs(loaded.modules, add)) loaded.probes.push_back(std::move(spec));
  for (const SourceStatus& each : discoveries.statuses())
    if (!each.of_target && !each.error.empty()) add(each.error);
  return errors;
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

}  // namespace

int check_config(const std::string& file, const rules::CheckOptions& options) {
  LoadedConfig loaded;
  if (!loaded_well(file, loaded)) return 1;
  std::size_t rules = 0;
  for (const rules::CompiledGroupPtr& group : loaded.groups) rules += rules::rule_count(*group);
  const rules::SeriesSources sources = series_sources(loaded);
  if (const std::string errors = add_discovered(loaded); !errors.empty()) {
    base::print(stderr, "{}", errors);
    return 1;
  }
  const std::size_t included = loaded.config.included.size();
  base::print(stdout, "{}{}: ok: {}, {}, {}, {}, {} in {}\n", file,
              included == 0 ? "" : fmt::format(" with {} of include", count(included, "file")),
              count(loaded.config.services.size(), "service"), count(loaded.probes.size(), "probe"),
              count(loaded.plans.size(), "recovery plan"), count(loaded.notifications.names, "receiver"),
              count(rules, "rule"), count(loaded.groups.size(), "group"));
  std::vector<const probe::Spec*> probes;
  for (const probe::Spec& spec : loaded.probes) probes.push_back(&spec);
  if (const std::string text = too_many_series(probes, loaded.config.storage.max_series); !text.empty())
    base::print(stdout, "{}: warning: {}\n", file, text);
  rules::CheckOptions with_sources = options;
  with_sources.sources = &sources;
  // All files run in one agent: what stands twice in two of them is a duplicate too.
  std::vector<std::vector<rules::CompiledGroupPtr>> as_one;
  as_one.push_back(std::move(loaded.groups));
  const auto findings = rules::lint(as_one, with_sources);
  for (const rules::Finding& finding : findings) base::print(stdout, "{}\n", rules::painted(finding, options.colour));
  return options.verdict == rules::LintVerdict::fatal && !findings.empty() ? rules::kLintFailed : 0;
}

int check_rules(const std::vector<std::string>& files, const std::string& config_file, rules::CheckOptions options,
                std::optional<promql::Compat> compat) {
  options.compat = compat.value_or(options.compat);
  if (config_file.empty()) return rules::check_rules(files, options, stdout, stderr);
  LoadedConfig loaded;
  if (!loaded_well(config_file, loaded)) return 1;
  const rules::SeriesSources sources = series_sources(loaded);
  options.sources = &sources;
  options.compat = compat.value_or(compat_of(loaded.config));
  return rules::check_rules(files, options, stdout, stderr);
}

int print_polkit(const std::string& file) {
  LoadedConfig loaded;
  if (!loaded_well(file, loaded)) return 1;
  std::vector<recover::SystemdJob> jobs;
  for (const auto& plan : loaded.plans)
    for (const auto* steps : {&plan->steps, &plan->finally})
      for (const recover::Step& step : *steps)
        for (recover::SystemdJob& job : recover::jobs_of(*step.action)) jobs.push_back(std::move(job));
  for (const auto& traffic : loaded.traffic)
    for (const auto& place : traffic->places)
      if (const auto job = place->systemd_job()) jobs.push_back(*job);
  base::print(stdout, "{}", recover::polkit_rule(jobs, file, "fettle"));
  return 0;
}

int probe_once(const std::string& config_file, const std::vector<std::string>& arguments) {
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
  print_outcome(*spec, *outcome);
  return probe::nagios_exit_code(*outcome);
}

}  // namespace app
