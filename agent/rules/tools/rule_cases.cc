#include "rules/tools/rule_cases.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.h"
#include "base/regex.h"
#include "base/terminal.h"
#include "encoding/json.h"
#include "rules/compiled.h"
#include "rules/tools/case_run.h"
#include "rules/tools/junit.h"

namespace rules {
namespace {

// Errors of one file, each on its line.
std::string text_of(const config::Errors& errors) {
  std::string text = errors.text();
  if (!text.empty() && text.back() != '\n') text += '\n';
  return text;
}

class Runner {
 public:
  Runner(const UnitTestOptions& options, std::vector<base::Regex> run, std::FILE* out, std::FILE* err)
      : options_(options), run_(std::move(run)), out_(out), err_(err) {}

  bool run_file(const std::string& path) {
    if (as_text()) base::print(out_, "Unit Testing:  {}\n", path);
    JunitSuite& suite = suites_.emplace_back(JunitSuite{path, options_.started, {}});
    config::Errors errors;
    const TestFile file = load_test_file(path, options_.compat, errors);
    if (as_text())
      for (const std::string& warning : errors.warnings()) base::print(err_, "  WARNING: {}\n", warning);
    std::vector<config::RuleGroup> groups;
    for (const std::string& rules : file.rule_files)
      for (config::RuleGroup& group : config::load_rule_file(rules, errors, format_of(options_.compat)))
        groups.push_back(std::move(group));
    if (errors.empty()) compile(groups, options_.compat, errors);
    if (errors.empty()) run_tests(file, groups, suite);
    else suite.cases.push_back({"unknown", {}, text_of(errors)});  // as promtool calls it
    return as_text() ? print_result(suite) : passed(suite);
  }

  std::size_t tests_run() const { return tests_run_; }
  std::string junit() const { return junit_xml(suites_); }

  void print_json() const {
    encoding::Json json;
    json.object([&] {
      json.key("ok").boolean(std::all_of(suites_.begin(), suites_.end(), passed));
      json.key("files").array([&] {
        for (const JunitSuite& suite : suites_) write(suite, json);
      });
    });
    base::print(out_, "{}\n", json.text());
  }

 private:
  bool as_text() const { return options_.form == base::OutputForm::text; }

  static bool passed(const JunitSuite& suite) {
    return std::all_of(suite.cases.begin(), suite.cases.end(),
                       [](const JunitCase& one) { return one.failures.empty() && one.error.empty(); });
  }

  static void write(const JunitSuite& suite, encoding::Json& json) {
    std::string error;
    json.object([&] {
      json.key("file").string(suite.name);
      json.key("ok").boolean(passed(suite));
      json.key("tests").array([&] {
        for (const JunitCase& one : suite.cases) {
          error += one.error;
          if (!one.error.empty()) continue;  // it is the file's
          json.object([&] {
            json.key("name").string(one.name);
            json.key("ok").boolean(one.failures.empty());
            json.key("failures").array([&] {
              for (const std::string& text : one.failures) json.string(painted(text, base::Colour::never));
            });
          });
        }
      });
      json.key("error").string(error);
    });
  }

  bool selected(const TestGroup& test) const {
    return run_.empty() ||
           std::any_of(run_.begin(), run_.end(), [&](const base::Regex& one) { return one.found_in(test.name); });
  }

  void run_tests(const TestFile& file, const std::vector<config::RuleGroup>& groups, JunitSuite& suite) {
    for (std::size_t i = 0; i < file.tests.size(); ++i) {
      const TestGroup& test = file.tests[i];
      if (!selected(test)) continue;
      ++tests_run_;
      const std::string name = test.name.empty() ? fmt::format("unnamed#{}", i) : test.name;
      const TestRunOptions options{options_.compat,
                                   options_.trace == Trace::none ? nullptr
                                   : as_text()                   ? out_
                                                                 : err_,
                                   name};
      suite.cases.push_back({name, TestRun(file, test, groups, options).run(), ""});
    }
  }

  bool print_result(const JunitSuite& suite) const {
    if (passed(suite)) {
      base::print(out_, "{}\n\n", base::paint("  SUCCESS", base::Tone::good, options_.colour));
      return true;
    }
    std::fflush(out_);
    base::print(err_, "{}\n", base::paint("  FAILED:", base::Tone::bad, options_.colour));
    for (const JunitCase& one : suite.cases) {
      if (!one.error.empty()) base::print(err_, "{}\n", one.error);
      for (const std::string& text : one.failures) base::print(err_, "{}\n", painted(text, options_.colour));
    }
    std::fflush(err_);
    return false;
  }

  const UnitTestOptions& options_;
  std::vector<base::Regex> run_;
  std::FILE* out_;
  std::FILE* err_;
  std::vector<JunitSuite> suites_;
  std::size_t tests_run_ = 0;
};

}  // namespace

int run_unit_tests(const std::vector<std::string>& files, const UnitTestOptions& options, std::FILE* out,
                   std::FILE* err) {
  if (files.empty()) {
    base::print(err, "no test file given; write fettle test rules FILE...\n");
    return 2;
  }
  std::vector<base::Regex> run;
  for (const std::string& pattern : options.run) {
    auto compiled = base::Regex::compile(pattern);
    if (!compiled) {
      base::print(err, "--run {}: {}\n", pattern, compiled.error().text);
      return 2;
    }
    run.push_back(std::move(*compiled));
  }
  Runner runner(options, std::move(run), out, err);
  bool good = true;
  for (const std::string& file : files) good = runner.run_file(file) && good;
  if (options.form == base::OutputForm::json) runner.print_json();
  if (good && runner.tests_run() == 0 && !options.run.empty())
    base::print(err, "no test ran: no test group has a name in which --run {} is found\n",
                fmt::join(options.run, " or "));
  if (options.junit_file.empty()) return good ? 0 : 1;
  if (const auto written = base::write_file_atomically(options.junit_file, runner.junit()); !written) {
    base::print(err, "--junit: {}\n", written.error().text);
    return 1;
  }
  return good ? 0 : 1;
}

}  // namespace rules
