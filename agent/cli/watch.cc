#include "cli/watch.h"

#include <unistd.h>

#include <cstdio>

namespace cli {

base::Result<base::Millis> parse_watch(const std::string& text) {
  const auto every = base::parse_duration(text);
  if (every && *every >= base::Millis{100}) return every;
  return base::fail(base::Kind::invalid, "--watch: expected a duration of at least 100ms, such as 2s, got " + text);
}

int watch(const std::function<int()>& show, const std::function<bool()>& wait) {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  int code = 0;
  for (bool first = true;; first = false) {
    if (terminal) std::fputs("\x1b[H\x1b[2J", stdout);
    else if (!first) std::fputs("\n", stdout);
    code = show();
    std::fflush(stdout);
    if (!wait()) return code;
  }
}

}  // namespace cli
