// fail_if_body_json_matches_cel and fail_if_body_json_not_matches_cel, in the blackbox exporter's words.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/node.h"
#include "probe/cel/program.h"

namespace probe {

// An expression, compiled when the file is read.
struct CelExpression {
  std::optional<cel::Program> program;
};
// A mistake is told with its own line and column, also inside a block of several lines.
void read_cel(const config::Node& node, CelExpression& out, const std::string& path, config::Errors& errors);

struct CelChecks {
  CelExpression matches;      // must not hold
  CelExpression not_matches;  // must hold
  bool configured() const { return matches.program || not_matches.program; }
};

// "" if the body passes; else why not: a sentence. An expression that has no answer fails, too.
std::string failed_cel_check(const CelChecks& checks, std::string_view body);

}  // namespace probe
