// `fettle test rules`: Prometheus' unit tests of rule files with the agent's own parser, templates, engine and alert
// states. Everything is evaluated in the test's time.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "base/output_form.h"
#include "base/terminal.h"
#include "base/time.h"
#include "promql/parser.h"

namespace rules {

enum class Trace { none, debug };

struct UnitTestOptions {
  promql::Compat compat = promql::Compat::v3;
  // Regular expressions: only test groups run in whose name one of them is found. Empty: all run.
  std::vector<std::string> run{};
  Trace trace = Trace::none;  // debug: what was evaluated when, to `out`
  std::string junit_file{};   // the results as JUnit XML; "": none
  base::WallTime started{};   // for the JUnit file
  base::Colour colour = base::Colour::never;
  base::OutputForm form = base::OutputForm::text;
};

// Runs test files in promtool's format. What passed goes to `out`, what failed to `err`, with the difference between
// expected and found. As JSON the results go to `out`, and a trace to `err`:
// {"ok","files":[{"file","ok","tests":[{"name","ok","failures"}],"error"}]}. 0: all passed; 1: something did not, or
// the JUnit file cannot be written; 2: no file given, or a bad expression in `run`.
int run_unit_tests(const std::vector<std::string>& files, const UnitTestOptions& options, std::FILE* out,
                   std::FILE* err);

}  // namespace rules
