#include "app/config_lint.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "config/agent_config.h"
#include "notify/route/route.h"
#include "rules/tools/alert_labels.h"

namespace app {
namespace {

namespace fs = std::filesystem;

const config::Service* service_of(const LoadedConfig& loaded, const std::string& name) {
  const auto& services = loaded.config.services;
  const auto found = std::find_if(services.begin(), services.end(), [&](const auto& one) { return one.first == name; });
  return found == services.end() ? nullptr : &found->second;
}

void warn_of_plans(const LoadedConfig& loaded, config::Errors& errors) {
  for (const auto& plan : loaded.plans) {
    const config::Service* service = service_of(loaded, plan->service);
    if (plan->when.empty() || service == nullptr) continue;
    rules::WantedLabels wanted{{"service", plan->service}};
    for (const auto& [label, value] : plan->when) {
      if (label == "service") wanted.clear();
      wanted.emplace_back(label == "alert" ? "alertname" : label, value);
    }
    const std::string why = rules::why_no_alert(loaded.groups, wanted);
    if (why.empty()) continue;
    const config::Node when = service->recovery.find("when");
    const config::Node alert = when.find("alert");
    errors.warn(alert.is_null() ? when.mark() : alert.mark(),
                config::service_path(plan->service) + ".recovery.when" + (alert.is_null() ? "" : ".alert"),
                fmt::format("the plan can never start: {}", why));
  }
}

// Messages that come from no rule.
bool is_own_alert(const rules::WantedLabels& wanted) {
  return std::any_of(wanted.begin(), wanted.end(),
                     [](const auto& want) { return want.first == "alertname" && want.second.starts_with("Fettle"); });
}

void warn_of_routes(const LoadedConfig& loaded, const notify::RouteSettings& route, rules::WantedLabels wanted,
                    config::Errors& errors) {
  const std::size_t above = wanted.size();
  for (const model::Matcher& matcher : route.matchers) {
    const bool is_asked = matcher.op() == model::MatchOp::equal && !matcher.value().empty() &&
                          !loaded.config.global.external_labels.has(matcher.name());
    if (is_asked) wanted.emplace_back(matcher.name(), matcher.value());
  }
  if (wanted.size() > above && !is_own_alert(wanted)) {
    if (const std::string why = rules::why_no_alert(loaded.groups, wanted); !why.empty())
      return errors.warn(route.place.mark(), route.path, fmt::format("no alert can ever take this route: {}", why));
  }
  for (const notify::RouteSettings& below : route.routes) warn_of_routes(loaded, below, wanted, errors);
}

}  // namespace

void warn_of_units(const LoadedConfig& loaded, const std::vector<std::string>& folders, config::Errors& errors) {
  for (const auto& [name, service] : loaded.config.services) {
    if (service.unit.empty() || has_unit_file(service.unit, folders)) continue;
    errors.warn(service.place.find("unit").mark(), config::service_path(name) + ".unit",
                fmt::format("systemd has no unit {}: see `systemctl list-unit-files`", service.unit));
  }
}

void warn_of_what_matches_nothing(const LoadedConfig& loaded, config::Errors& errors) {
  warn_of_plans(loaded, errors);
  if (loaded.config.route.is_null()) return;
  config::Errors known;  // its mistakes have been told
  warn_of_routes(loaded, notify::parse_route(loaded.config.route, "route", known), {}, errors);
}

std::vector<std::string> unit_folders() {
  std::error_code ignored;
  if (!fs::is_directory("/run/systemd/system", ignored)) return {};
  return {"/etc/systemd/system.control",   "/run/systemd/system.control",  "/run/systemd/transient",
          "/run/systemd/generator.early",  "/etc/systemd/system",          "/etc/systemd/system.attached",
          "/run/systemd/system",           "/run/systemd/system.attached", "/run/systemd/generator",
          "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",      "/lib/systemd/system",
          "/run/systemd/generator.late"};
}

bool has_unit_file(const std::string& unit, const std::vector<std::string>& folders) {
  const std::size_t at = unit.find('@'), dot = unit.rfind('.');
  const bool instance = at != std::string::npos && dot != std::string::npos && at < dot;
  const std::string base = instance ? unit.substr(0, at + 1) + unit.substr(dot) : unit;
  return folders.empty() || std::any_of(folders.begin(), folders.end(), [&](const std::string& folder) {
           std::error_code ignored;
           const auto there = [&](const std::string& name) {
             return fs::symlink_status(fs::path(folder) / name, ignored).type() != fs::file_type::not_found;
           };
           return there(unit) || there(base);
         });
}

std::string pattern_hint(const std::string& pattern) {
  if (pattern.starts_with("~")) return "; ~ is no folder here: write the whole path";
  if (pattern.find("**") != std::string::npos) return "; ** is the same as *, and looks into one folder only";
  const fs::path folder = fs::path(pattern).parent_path();
  std::error_code ignored;  // what this user may not look into is no folder here
  if (folder.string().find_first_of("*?[") == std::string::npos && !fs::is_directory(folder, ignored))
    return fmt::format("; there is no folder {}", folder.string());
  static constexpr std::string_view kOthers[]{".yml", ".yaml"};
  const std::string extension = fs::path(pattern).extension().string();
  for (const std::string_view other : kOthers) {
    if (extension == other || (extension != ".yml" && extension != ".yaml")) continue;
    for (const auto& entry : fs::directory_iterator(folder, ignored))
      if (entry.path().extension() == other) return fmt::format("; the files there end in {}", other);
  }
  return "";
}

}  // namespace app
