// `fettle query`: one PromQL expression, asked of a running agent or evaluated over a file.
#pragma once

#include <string>

#include "cli/client.h"

namespace cli {

enum class Output { table, json };

struct QueryOptions {
  AgentAddress agent;
  std::string openmetrics;  // evaluate over this file instead; no agent needed
  std::string time;         // RFC 3339, seconds, or -5m before now; "": now, which is the newest sample of a file
  std::string start, end, step;
  std::string expr;
  int compat = 3;
  Output output = Output::table;
};

// 0; 1: the expression, the file or a time is wrong; 3: no agent answers.
int run_query(const QueryOptions& options);

}  // namespace cli
