// `fettle query`: one PromQL expression, asked of a running agent or evaluated over a file.
#pragma once

#include <string>

namespace cli {

enum class Output { table, json };

struct QueryOptions {
  std::string url;
  std::string openmetrics;  // evaluate over this file instead; no agent needed
  std::string time;         // RFC 3339 or seconds; "": now, or the newest sample of the file
  std::string start, end, step;
  std::string expr;
  int compat = 3;
  Output output = Output::table;
};

int run_query(const QueryOptions& options);

}  // namespace cli
