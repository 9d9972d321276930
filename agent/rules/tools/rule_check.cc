#include "rules/tools/rule_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/terminal.h"
#include "encoding/json.h"
#include "rules/compiled.h"

namespace rules {
namespace {

void print_mistakes(const config::Errors& errors, base::Colour colour, std::FILE* out, std::FILE* err) {
  std::fflush(out);
  base::print(err, "{}\n", base::paint("  FAILED:", base::Tone::bad, colour));
  for (const std::string& line : errors.lines()) base::print(err, "{}\n", line);
  base::print(err, "\n");
  std::fflush(err);
}

std::size_t rules_in(const std::vector<CompiledGroupPtr>& groups) {
  std::size_t rules = 0;
  for (const CompiledGroupPtr& group : groups) rules += group->rules.size();
  return rules;
}

void print_success(const std::vector<CompiledGroupPtr>& groups, const std::vector<Finding>& findings,
                   base::Colour colour, std::FILE* out) {
  base::print(out, "{}: {} rules found\n", base::paint("  SUCCESS", base::Tone::good, colour), rules_in(groups));
  for (const Finding& finding : findings) base::print(out, "{}\n", painted(finding, colour));
  base::print(out, "\n");
}

std::vector<Finding> of_file(const std::vector<Finding>& findings, const std::string& file) {
  std::vector<Finding> own;
  for (const Finding& finding : findings)
    if (finding.at.file == file) own.push_back(finding);
  return own;
}

void write_texts(const char* key, const std::vector<std::string>& texts, encoding::Json& json) {
  json.key(key).array([&] {
    for (const std::string& text : texts) json.string(text);
  });
}

// Of each file, by its place.
struct Checked {
  const std::vector<std::string>& files;
  const std::vector<config::Errors>& errors;
  const std::vector<std::vector<CompiledGroupPtr>>& loaded;
  const std::vector<Finding>& findings;  // of all
};

void print_text(const Checked& found, base::Colour colour, std::FILE* out, std::FILE* err) {
  for (std::size_t i = 0; i < found.files.size(); ++i) {
    base::print(out, "Checking {}\n", found.files[i]);
    for (const std::string& warning : found.errors[i].warnings()) base::print(err, "{} (warning)\n", warning);
    if (!found.errors[i].empty()) print_mistakes(found.errors[i], colour, out, err);
    else print_success(found.loaded[i], of_file(found.findings, found.files[i]), colour, out);
  }
}

void print_json(const Checked& found, std::FILE* out) {
  encoding::Json json;
  const auto write_file = [&](std::size_t i) {
    const bool good = found.errors[i].empty();
    std::vector<std::string> findings;
    for (const Finding& finding : of_file(found.findings, found.files[i]))
      if (good) findings.push_back(finding.to_string());
    json.object([&] {
      json.key("file").string(found.files[i]);
      json.key("ok").boolean(good);
      json.key("rules").integer(good ? static_cast<std::int64_t>(rules_in(found.loaded[i])) : 0);
      write_texts("mistakes", found.errors[i].lines(), json);
      write_texts("warnings", found.errors[i].warnings(), json);
      write_texts("findings", findings, json);
    });
  };
  json.object([&] {
    json.key("ok").boolean(
        std::all_of(found.errors.begin(), found.errors.end(), [](const config::Errors& each) { return each.empty(); }));
    json.key("files").array([&] {
      for (std::size_t i = 0; i < found.files.size(); ++i) write_file(i);
    });
  });
  base::print(out, "{}\n", json.text());
}

}  // namespace

std::vector<Finding> lint(const std::vector<std::vector<CompiledGroupPtr>>& files, const CheckOptions& options) {
  std::vector<Finding> found;
  const auto take = [&](std::vector<Finding> some) {
    found.insert(found.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
  };
  SeriesSources sources;
  const bool can_judge = options.sources && options.lint.contains(Lint::never_fires);
  if (can_judge) {
    sources = *options.sources;
    for (const auto& groups : files) sources.add_rules(groups);
  }
  for (const auto& groups : files) {
    if (options.lint.contains(Lint::duplicate_rules)) take(duplicate_rules(groups));
    if (can_judge) take(never_fires(groups, sources));
  }
  sort(found);
  return found;
}

std::string painted(const Finding& finding, base::Colour colour) {
  std::string text = finding.to_string();
  if (const auto at = text.find("warning:"); at != std::string::npos)
    text.replace(at, 8, base::paint("warning:", base::Tone::warn, colour));
  return text;
}

int check_rules(const std::vector<std::string>& files, const CheckOptions& options, std::FILE* out, std::FILE* err) {
  if (files.empty()) {
    base::print(err, "no rule file given; write fettle check rules FILE...\n");
    return 2;
  }
  std::vector<config::Errors> errors(files.size());
  std::vector<std::vector<CompiledGroupPtr>> loaded;
  for (std::size_t i = 0; i < files.size(); ++i)
    loaded.push_back(
        compile(config::load_rule_file(files[i], errors[i], format_of(options.compat)), options.compat, errors[i]));
  const std::vector<Finding> findings = lint(loaded, options);
  const bool good = std::all_of(errors.begin(), errors.end(), [](const config::Errors& each) { return each.empty(); });
  if (options.form == base::OutputForm::json) print_json({files, errors, loaded, findings}, out);
  else print_text({files, errors, loaded, findings}, options.colour, out, err);
  if (!good) return 1;
  return options.verdict == LintVerdict::fatal && !findings.empty() ? kLintFailed : 0;
}

}  // namespace rules
