#include "cli/metrics_lint.h"

#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>

#include "base/terminal.h"
#include "encoding/exposition_families.h"

namespace cli {

int lint_standard_input() {
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  const auto families = encoding::parse_exposition(text);
  if (!families) {
    base::print(stderr, "fettle check metrics: {}\n", families.error().text);
    return 1;
  }
  const auto findings = encoding::lint(*families);
  for (const std::string& finding : findings) base::print(stdout, "{}\n", finding);
  return findings.empty() ? 0 : 1;
}

}  // namespace cli
