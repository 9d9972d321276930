#include "rules/tools/junit.h"

#include <fmt/format.h>

namespace rules {
namespace {

// Text or the value of an attribute. XML 1.0 cannot hold most control characters, not even escaped.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&#34;"; break;
      case '\n': out += "&#xA;"; break;
      case '\t': out += "&#x9;"; break;
      default: out += static_cast<unsigned char>(c) < 0x20 ? "\xEF\xBF\xBD" : std::string(1, c);
    }
  }
  return out;
}

std::string case_xml(const JunitCase& one) {
  std::string inside;
  for (const std::string& failure : one.failures) inside += fmt::format("<failure>{}</failure>", escaped(failure));
  if (!one.error.empty()) inside += fmt::format("<error>{}</error>", escaped(one.error));
  return fmt::format("    <testcase name=\"{}\">{}</testcase>\n", escaped(one.name), inside);
}

}  // namespace

std::string junit_xml(const std::vector<JunitSuite>& suites) {
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
  for (const JunitSuite& suite : suites) {
    std::size_t failures = 0, errors = 0;
    std::string cases;
    for (const JunitCase& one : suite.cases) {
      failures += one.failures.size();
      errors += !one.error.empty();
      cases += case_xml(one);
    }
    out += fmt::format(
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"0\" timestamp=\"{}\">\n{}"
        "  </testsuite>\n",
        escaped(suite.name), suite.cases.size(), failures, errors, base::format_iso8601(suite.started), cases);
  }
  return out + "</testsuites>\n";
}

}  // namespace rules
