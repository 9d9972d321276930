// `fettle check rules` as a person sees it: whole outputs, all files at once.
#include "rules/tools/rule_check.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "base/file.h"

namespace {

// Files in a folder of their own, and what a check printed.
struct Site {
  Site() {
    std::string name = (std::filesystem::temp_directory_path() / "fettle-check-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder = name;
  }
  ~Site() { std::filesystem::remove_all(folder); }
  void write(const std::string& name, std::string_view text) {
    files.push_back((folder / name).string());
    REQUIRE(base::write_file_atomically(files.back(), text).has_value());
  }
  int check(const rules::CheckOptions& options) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
    const int code = rules::check_rules(files, options, file.get(), file.get());
    printed.resize(static_cast<std::size_t>(std::ftell(file.get())));
    std::rewind(file.get());
    REQUIRE(std::fread(printed.data(), 1, printed.size(), file.get()) == printed.size());
    for (std::size_t at; (at = printed.find(folder.string() + "/")) != std::string::npos;)
      printed.erase(at, folder.string().size() + 1);
    return code;
  }

  std::filesystem::path folder;
  std::vector<std::string> files;
  std::string printed;
};

// order has an http probe and a heartbeat, payment an http probe; nobody knows what the plugin probe of gateway makes.
rules::SeriesSources shop() {
  rules::SeriesSources sources;
  const auto probe = [&](const char* service, const char* name, std::vector<std::string> metrics) {
    metrics.emplace_back("probe_success");
    sources.add({rules::SeriesSource::Names::listed,
                 std::move(metrics),
                 {{"job", {"fettle"}}, {"instance", {"n1:10911"}}, {"service", {service}}, {"probe", {name}}}});
  };
  probe("order", "http", {"probe_http_status_code"});
  probe("order", "beat", {"probe_heartbeat_age_seconds"});
  probe("payment", "http", {"probe_http_status_code"});
  sources.add({rules::SeriesSource::Names::any, {}, {{"service", {"gateway"}}, {"probe", {"plugin"}}}});
  return sources;
}

// What is said about one alert with this expression.
std::string said(const std::string& expr) {
  const rules::SeriesSources sources = shop();
  config::Errors errors;
  std::vector<std::vector<rules::CompiledGroupPtr>> files;
  files.push_back(rules::compile(
      config::parse_rule_file("groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: '" + expr +
                                  "'\n"
                                  "      - {record: 'job:bad:sum', expr: probe_success, labels: {tier: a}}\n",
                              "r.yml", errors),
      promql::Compat::v3, errors));
  REQUIRE_MESSAGE(errors.empty(), errors.text());
  rules::CheckOptions options;
  options.sources = &sources;
  std::string out;
  for (const rules::Finding& finding : rules::lint(files, options)) out += finding.to_string() + "\n";
  return out;
}

}  // namespace

TEST_CASE("all mistakes and findings of all files come at once, each with its place") {
  Site site;
  site.write("a.yml", R"(
groups:
  - name: g
    rules:
      - {alert: A, expr: up == 0, labels: {severity: page}}
      - {alert: B, expr: up == 0}
      - {alert: A, expr: up == 1, labels: {severity: page}}
)");
  site.write("b.yml", R"(
groups:
  - name: g
    rules:
      - {alert: A, expr: up ==, labels: {severity: page}}
      - {alert: B, expr: up == 0, fro: 5m}
)");
  site.write("c.yml", "groups: []\n");
  CHECK(site.check({}) == 1);
  CHECK(site.printed == R"(Checking a.yml
  SUCCESS: 3 rules found
a.yml:7:9: groups[0].rules[2]: warning: A with the labels {severity="page"} stands at a.yml:5:9 already: both write the same series [duplicate-rules]

Checking b.yml
  FAILED:
b.yml:5:31: groups[0].rules[0].expr: 1:6: parse error: unexpected end of input
b.yml:6:35: groups[0].rules[1].fro: unknown key; did you mean 'for'?

Checking c.yml
  SUCCESS: 0 rules found

)");
}

TEST_CASE("findings end well unless they are fatal, and lint can be narrowed or left out") {
  Site site;
  site.write("a.yml", "groups: [{name: g, rules: [{record: r, expr: up}, {record: r, expr: down}]}]\n");
  CHECK(site.check({}) == 0);
  CHECK(site.check({.verdict = rules::LintVerdict::fatal}) == rules::kLintFailed);
  CHECK(site.check({.lint = {}, .verdict = rules::LintVerdict::fatal}) == 0);
  CHECK(site.printed == "Checking a.yml\n  SUCCESS: 2 rules found\n\n");
  CHECK(site.check({.lint = {rules::Lint::never_fires}, .verdict = rules::LintVerdict::fatal}) == 0);
  CHECK(site.check({.colour = base::Colour::always}) == 0);
  CHECK(site.printed.find("\033[32m  SUCCESS\033[0m: 2 rules found\n") != std::string::npos);
  CHECK(site.printed.find("\033[33mwarning:\033[0m") != std::string::npos);
}

TEST_CASE("names of lint are those of promtool and ours") {
  using rules::Lint;
  CHECK(*rules::parse_lint("all") == std::set<Lint>{Lint::duplicate_rules, Lint::never_fires});
  CHECK(rules::parse_lint("none")->empty());
  CHECK(*rules::parse_lint("never-fires,duplicate-rules") == std::set<Lint>{Lint::duplicate_rules, Lint::never_fires});
  CHECK(rules::parse_lint("duplicate-rule").error().text ==
        "--lint knows all, none, duplicate-rules, never-fires, not 'duplicate-rule'; did you mean duplicate-rules?");
}

TEST_CASE("a rule whose series nothing makes is named, with what was probably meant") {
  struct Row {
    const char* expr;
    const char* want;  // behind "r.yml:5:16: groups[0].rules[0].expr: warning: "; "" nothing is said
  };
  const std::vector<Row> rows{
      {"probe_success == 0", ""},
      {R"(probe_http_status_code{service="order"} >= 500)", ""},
      {R"(probe_http_status_code{service=~"order|payment"} >= 500)", ""},
      {R"(anything_at_all{service="gateway"})", ""},
      {"anything_at_all", ""},  // gateway's plugin may make it
      {R"(nothing{service="order"})", "nothing makes nothing{service=\"order\"}; its service here is gateway"},
      {R"(probe_success{service="ordre"})",
       "nothing makes probe_success{service=\"ordre\"}; its service here is gateway or order or payment; did you mean "
       "order?"},
      {R"(probe_success{service="payment",probe="beat"})",
       "nothing makes probe_success{probe=\"beat\",service=\"payment\"}; no series of it has these labels together"},
      {R"(probe_success{instance="n2:10911",service="order"})",
       "nothing makes probe_success{instance=\"n2:10911\",service=\"order\"}; no series of it has these labels "
       "together"},
      {R"(probe_success{service=""})",
       "nothing makes probe_success{service=\"\"}; its service here is gateway or order or payment"},
      {R"(sum(job:bad:sum{tier="a"}) > 1)", ""},
      {R"(ALERTS{alertname="A", alertstate="firing"})", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.expr);
    const std::string text = said(row.expr);
    if (*row.want == '\0') {
      CHECK(text.empty());
      continue;
    }
    CHECK(text == std::string("r.yml:5:16: groups[0].rules[0].expr: warning: alert A can never fire here: ") +
                      row.want + " [never-fires]\n");
  }
}

TEST_CASE("what a part that is always empty means depends on where it stands") {
  const std::string dead = R"(x{service="order"})", hint = "; its service here is gateway [never-fires]\n";
  const auto at = [](int column) {
    return "r.yml:5:" + std::to_string(column) + ": groups[0].rules[0].expr: warning: ";
  };
  const std::string never = "alert A can never fire here: nothing makes " + dead + hint;
  const std::string part = "a part of alert A is always empty here: nothing makes " + dead + hint;
  const std::string absent = "absent() in alert A always holds here: nothing makes " + dead + hint;
  CHECK(said("probe_success and " + dead) == at(34) + never);
  CHECK(said("probe_success or " + dead) == at(33) + part);
  CHECK(said("probe_success unless " + dead) == at(37) + part);
  CHECK(said(dead + " unless probe_success") == at(16) + never);
  CHECK(said("probe_success * on () group_left () " + dead) == at(52) + never);
  CHECK(said("absent(" + dead + ")") == at(23) + absent);
  CHECK(said("count(" + dead + ") == 0") == at(22) + never);
  CHECK(said("probe_success > scalar(" + dead + ")") == at(39) + part);
  CHECK(said("max_over_time(" + dead + "[5m]) > 1") == at(30) + never);
  CHECK(said("max_over_time((" + dead + " > 1)[5m:]) > 1") == at(31) + never);
  CHECK(said("vector(1) == 1") == "");
}

TEST_CASE("in brief a file of many rules for what is not configured says so once") {
  const auto never = [](const char* file, int line, const char* rule) {
    rules::Finding finding;
    finding.at.file = file;
    finding.at.line = static_cast<std::size_t>(line);
    finding.at.column = 15;
    finding.path = "groups[0].rules[0].expr";
    finding.lint = rules::Lint::never_fires;
    finding.rule = rule;
    finding.what = "nothing makes what is read in line " + std::to_string(line);
    return finding;
  };
  rules::Finding twice = never("backup.yml", 50, "C");
  twice.lint = rules::Lint::duplicate_rules;
  const std::vector<rules::Finding> findings{never("own.yml", 5, "Own"),   never("own.yml", 9, "Other"),
                                             never("own.yml", 9, "Other"), never("backup.yml", 8, "A"),
                                             never("backup.yml", 18, "B"), never("backup.yml", 19, "B"),
                                             never("backup.yml", 28, "C"), twice};
  std::string out;
  for (const rules::Finding& finding : rules::in_brief(findings, "fettle.yml")) out += finding.to_string() + "\n";
  CHECK(
      out ==
      "own.yml:5:15: groups[0].rules[0].expr: warning: nothing makes what is read in line 5 [never-fires]\n"
      "own.yml:9:15: groups[0].rules[0].expr: warning: nothing makes what is read in line 9 [never-fires]\n"
      "own.yml:9:15: groups[0].rules[0].expr: warning: nothing makes what is read in line 9 [never-fires]\n"
      "backup.yml:8:15: groups[0].rules[0].expr: warning: 3 rules of this file read what nothing makes here: A, B, C; "
      "`fettle check rules --config.file=fettle.yml backup.yml` says what [never-fires]\n"
      "backup.yml:50:15: groups[0].rules[0].expr: warning: nothing makes what is read in line 50 [duplicate-rules]\n");
}

TEST_CASE("without Prometheus there is no up, and the hint says what there is") {
  rules::SeriesSources sources;
  sources.add({rules::SeriesSource::Names::listed, {"probe_success"}, {}});
  CHECK(sources.hint({model::Matcher::equal("__name__", "up")}) ==
        "; Prometheus makes it when it scrapes, and an agent does not scrape: use fettle_service_up or probe_success");
  CHECK(sources.hint({model::Matcher::equal("__name__", "probe_sucess")}) == "; did you mean probe_success?");
  CHECK(sources.hint({model::Matcher::equal("__name__", "entirely_else")}) == "");
}

TEST_CASE("as JSON a check is one document, with the same exit codes") {
  Site site;
  const char* twice = "groups: [{name: g, rules: [{record: a, expr: '1'}, {record: a, expr: '1'}]}]\n";
  site.write("good.yml", twice);
  rules::CheckOptions options{.form = base::OutputForm::json};
  CHECK(site.check(options) == 0);
  CHECK(site.printed.starts_with(
      R"({"ok":true,"files":[{"file":"good.yml","ok":true,"rules":2,"mistakes":[],"warnings":[],"findings":["good.yml:)"));
  options.verdict = rules::LintVerdict::fatal;
  CHECK(site.check(options) == rules::kLintFailed);
  site.write("bad.yml", "groups: [{name: g, rules: [{record: a, expr: 'sum('}]}]\n");
  CHECK(site.check(options) == 1);
  CHECK(site.printed.starts_with(R"({"ok":false,"files":[{"file":"good.yml","ok":true,)"));
  CHECK(site.printed.find(R"({"file":"bad.yml","ok":false,"rules":0,"mistakes":["bad.yml:1:)") != std::string::npos);
  CHECK(site.printed.ends_with("\"warnings\":[],\"findings\":[]}]}\n"));
}
