// Runs whole folders of cases through the runner of `fettle test rules`: those shipped in rules/, and conformance
// material that may lie beside the repository (FETTLE_SHARED). Ends with 77, which ctest shows as skipped, without it.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "fakes/source_file.h"
#include "rules/tools/rule_cases.h"
#include "rules/tools/rule_check.h"
#include "templates/template.h"

namespace {

constexpr int kSkipped = 77;

std::vector<std::string> without_rules(std::vector<std::string> files) {
  std::erase_if(files, [](const std::string& file) { return file.ends_with(".rules.yml"); });
  return files;
}

int shipped() {
  const std::string folder = fakes::source_file("rules");
  std::vector<std::string> files = base::glob(folder + "/*.yml");
  const std::vector<std::string> central = base::glob(folder + "/central/*.yml");
  files.insert(files.end(), central.begin(), central.end());
  const std::vector<std::string> tests = base::glob(folder + "/tests/*.yml");
  const int good = rules::check_rules(files, {.compat = promql::Compat::v2}, stdout, stdout);
  const int v2 = rules::run_unit_tests(tests, {.compat = promql::Compat::v2}, stdout, stdout);
  const int v3 = rules::run_unit_tests(tests, {}, stdout, stdout);
  return good != 0 || v2 != 0 || v3 != 0;
}

nlohmann::json read_json(const std::string& path) {
  const auto text = base::read_file(path);
  return text ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
}

// Each must be refused with Go's own message.
int rejected(const std::string& folder) {
  int bad = 0;
  const nlohmann::json cases = read_json(folder + "/alerts/templates_rejected.json");
  for (const auto& one : cases) {
    const auto text = one["template"].get<std::string>();
    const auto whole = one["error"].get<std::string>();
    const std::string want = "line " + whole.substr(whole.find("__alert_") + std::string("__alert_T000:").size());
    const auto parsed = templates::Template::parse("T", text);
    const std::string got = parsed ? "accepted" : parsed.error().text;
    if (got == want) continue;
    ++bad;
    fmt::print("{}\n  want {}\n  got  {}\n", text, want, got);
  }
  fmt::print("{} templates, {} wrong\n", cases.size(), bad);
  return bad != 0 || cases.empty();
}

int promtool(const std::string& folder) {
  int bad = 0;
  const std::string base = folder + "/cases/promtool-v2.42/";
  const nlohmann::json cases = read_json(base + "manifest.json");
  for (const auto& one : cases) {
    const std::vector<std::string> files{base + one["file"].get<std::string>()};
    const int exit_code = one["cmd"] == "check rules"
                              ? rules::check_rules(files, {.compat = promql::Compat::v2}, stdout, stdout)
                              : rules::run_unit_tests(files, {.compat = promql::Compat::v2}, stdout, stdout);
    if (exit_code == one["exit"].get<int>()) continue;
    ++bad;
    fmt::print("^ {} {}: exit code {}, promtool's is {}\n", one["cmd"].get<std::string>(), files[0], exit_code,
               one["exit"].get<int>());
  }
  fmt::print("{} runs, {} wrong\n", cases.size(), bad);
  return bad != 0 || cases.empty();
}

int tests(const std::string& pattern) {
  return rules::run_unit_tests(without_rules(base::glob(pattern)), {.compat = promql::Compat::v2}, stdout, stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc == 2 ? argv[1] : "";
  if (what == "shipped") return shipped();
  const char* named = std::getenv("FETTLE_SHARED");
  const std::string folder = (named ? std::string(named) : fakes::source_file("../shared")) + "/promql";
  if (base::glob(folder).empty()) {
    fmt::print("skipped: there is no folder {}; FETTLE_SHARED names another one\n", folder);
    return kSkipped;
  }
  if (what == "alerts") return tests(folder + "/alerts/r*.yml");
  if (what == "templates") return tests(folder + "/alerts/templates*.yml");
  if (what == "rejected") return rejected(folder);
  if (what == "promtool") return promtool(folder);
  if (what == "promql") return tests(folder + "/cases/v2.42/*.yml");
  fmt::print(stderr, "usage: rules_cases shipped|alerts|templates|rejected|promtool|promql\n");
  return 2;
}
