#include "cli/metrics_lint.h"

#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>

#include "base/terminal.h"
#include "cli/answer.h"
#include "encoding/exposition_families.h"

namespace cli {

int lint_standard_input(base::OutputForm form) {
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  const auto families = encoding::parse_exposition(text);
  if (form == base::OutputForm::json) {
    Json answer{{"ok", false}, {"mistakes", Json::array()}, {"findings", Json::array()}};
    if (!families) answer["mistakes"].push_back(families.error().text);
    else
      for (const std::string& finding : encoding::lint(*families)) answer["findings"].push_back(finding);
    const bool good = answer["mistakes"].empty() && answer["findings"].empty();
    answer["ok"] = good;
    base::print(stdout, "{}\n", printed(answer));
    return good ? 0 : 1;
  }
  if (!families) {
    base::print(stderr, "fettle check metrics: {}\n", families.error().text);
    return 1;
  }
  const auto findings = encoding::lint(*families);
  for (const std::string& finding : findings) base::print(stdout, "{}\n", finding);
  return findings.empty() ? 0 : 1;
}

}  // namespace cli
