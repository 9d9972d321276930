#include "app/audit/finding.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "base/enum_names.h"

namespace app {
namespace {

constexpr std::array kSeverities{
    std::pair{Severity::critical, std::string_view("critical")},
    std::pair{Severity::warning, std::string_view("warning")},
    std::pair{Severity::info, std::string_view("info")},
};
constexpr std::array kGaps{
    std::pair{Gap::no_service, std::string_view("no-service")},
    std::pair{Gap::no_probe, std::string_view("no-probe")},
    std::pair{Gap::no_rule, std::string_view("no-rule")},
    std::pair{Gap::no_receiver, std::string_view("no-receiver")},
    std::pair{Gap::no_dependency, std::string_view("no-dependency")},
    std::pair{Gap::no_plan, std::string_view("no-plan")},
    std::pair{Gap::no_drain, std::string_view("no-drain")},
    std::pair{Gap::unreachable, std::string_view("unreachable")},
    std::pair{Gap::no_objective, std::string_view("no-objective")},
};

}  // namespace

std::string_view to_string(Severity severity) { return base::name_in(kSeverities, severity); }
std::string_view to_string(Gap gap) { return base::name_in(kGaps, gap); }

std::vector<std::string> gap_names() {
  std::vector<std::string> out;
  for (const auto& [gap, name] : kGaps) out.emplace_back(name);
  return out;
}

std::string Finding::to_string() const {
  const std::string place = at.line == 0 ? at.file : fmt::format("{}:{}:{}", at.file, at.line, at.column);
  return fmt::format("{}: {}: {}: {}; fix: {} [{}]", place, path, app::to_string(severity), what, fix,
                     app::to_string(gap));
}

void sort(std::vector<Finding>& findings) {
  std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
    return std::tie(a.severity, a.at.file, a.at.line, a.at.column) <
           std::tie(b.severity, b.at.file, b.at.line, b.at.column);
  });
}

}  // namespace app
