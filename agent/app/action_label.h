// An action as a label of metrics.
#pragma once

#include <string>

namespace app {

// "systemd restart", "command restart-order": without arguments, units and folders.
inline std::string action_label(const std::string& text) {
  const std::size_t blank = text.find(' ');
  const std::string kind = text.substr(0, blank);
  if (blank == std::string::npos) return kind;
  const std::string word = text.substr(blank + 1, text.find(' ', blank + 1) - blank - 1);
  return kind + ' ' + word.substr(word.rfind('/') + 1);
}

}  // namespace app
