#include "probe/http/cel_check.h"

#include <algorithm>
#include <utility>

#include "config/scalar.h"

namespace probe {
namespace {

// Where byte `at` of a scalar's text stands in its file. A text with escapes is longer there than here; then it is
// near.
config::Mark place_of(const config::Node& node, std::size_t at) {
  config::Mark mark = node.text_mark();
  const std::string_view before = std::string_view(node.scalar()).substr(0, at);
  const std::size_t newline = before.rfind('\n');
  mark.line += static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
  mark.column += newline == std::string_view::npos ? before.size() : before.size() - newline - 1;
  return mark;
}

std::string failed(const CelExpression& expression, bool wanted, std::string_view body) {
  const cel::Answer answer = expression.program->evaluate(body);
  const std::string& text = expression.program->text();
  if (!answer.truth) return "CEL " + text + ": the answer is " + answer.text + ", neither true nor false";
  if (*answer.truth == wanted) return "";
  return "the body " + std::string(wanted ? "does not match" : "matches") + " CEL " + text;
}

}  // namespace

void read_cel(const config::Node& node, CelExpression& out, const std::string& path, config::Errors& errors) {
  std::string text, why;
  if (!config::read(node, text, why)) return errors.add(node.mark(), path, why);
  auto compiled = cel::Program::compile(std::move(text));
  if (!compiled) return errors.add(place_of(node, compiled.error().at), path, compiled.error().text);
  out.program = *std::move(compiled);
}

std::string failed_cel_check(const CelChecks& checks, std::string_view body) {
  std::string why;
  if (checks.matches.program) why = failed(checks.matches, false, body);
  if (why.empty() && checks.not_matches.program) why = failed(checks.not_matches, true, body);
  return why;
}

}  // namespace probe
