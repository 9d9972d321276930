#include "recover/drill/drill_program.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include "base/ascii.h"
#include "base/text.h"
#include "loop/scheduler.h"

namespace recover {
namespace {

constexpr std::size_t kShown = 300;

}  // namespace

os::Command drill_command(const DrillContext& context, const Scratch& scratch, base::Instant deadline,
                          std::map<std::string, std::string> environment, std::vector<std::string> argv) {
  os::Command out;
  out.argv = std::move(argv);
  out.environment = std::move(environment);
  out.directory = scratch.run();
  out.limit = std::max(std::chrono::floor<base::Millis>(deadline - context.scheduler.now()), base::Millis{1});
  out.priority = os::Priority::background;
  out.limits.file_bytes = scratch.max_bytes;
  return out;
}

std::string complaint_in(const std::string& text) {
  std::string first;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = base::trim(base::take_line(rest), " \t\r");
    if (line.empty()) continue;
    const std::string lower = base::lower_case(line);
    for (const char* word : {"fatal", "error", "no space"})
      if (lower.find(word) != std::string::npos) return base::foreign_text(line, kShown);
    if (first.empty()) first = base::foreign_text(line, kShown);
  }
  return first;
}

std::string failure_of(const std::string& name, const base::Result<os::Finished>& finished) {
  if (!finished) return fmt::format("{}: {}", name, finished.error().text);
  if (finished->exit_code == 0 && !finished->timed_out) return "";
  const std::string said = complaint_in(finished->err.empty() ? finished->out : finished->err);
  const std::string words = said.empty() ? "" : ": " + said;
  if (finished->timed_out) return name + " was still running at its limit" + words;
  if (finished->signal != 0) return fmt::format("{} was ended by signal {}{}", name, finished->signal, words);
  return fmt::format("{} ended with exit code {}{}", name, finished->exit_code, words);
}

}  // namespace recover
