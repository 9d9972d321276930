// `fettle test rules` and `fettle check rules`: Prometheus' unit tests of rule files, and a check of rule files, with
// the agent's own parser, templates, engine and alert states. Everything is evaluated in the test's time.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "promql/parser.h"

namespace rules {

// Values equal as the file says (exactly, or with fuzzy_compare but for the last bit), or always but for the last bit.
enum class Comparison { as_file_says, but_for_last_bit };

// Runs test files in promtool's format. What passed goes to `out`, what failed to `err`, with the difference between
// expected and found. 0: all passed; 1: something did not; 2: no file given.
int run_unit_tests(const std::vector<std::string>& files, promql::Compat compat, std::FILE* out, std::FILE* err,
                   Comparison comparison = Comparison::as_file_says);

// Parses rule files, expressions and templates. Rules that stand twice are warned of. 0: good; 1: a mistake; 2: no
// file.
int check_rules(const std::vector<std::string>& files, std::FILE* out, std::FILE* err);

}  // namespace rules
