// CEL: the first line is the expression, what follows the document.
#include "fuzz/fuzz.h"
#include "probe/cel/program.h"

void fuzz::one_input(std::string_view bytes) {
  const std::size_t line = bytes.find('\n');
  const std::string text(bytes.substr(0, line));
  const auto program = probe::cel::Program::compile(text);
  if (!program) {
    require(!program.error().text.empty(), "a refusal has a reason");
    return require(program.error().at <= text.size(), "a mistake stands in the expression");
  }
  const auto answer = program->evaluate(line == std::string_view::npos ? "{}" : bytes.substr(line + 1));
  require(!answer.truth || answer.text == (*answer.truth ? "true" : "false"), "a truth is written as it is");
}
