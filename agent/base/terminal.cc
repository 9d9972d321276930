#include "base/terminal.h"

#include <unistd.h>

#include <cstdlib>

namespace base {

Colour colour_of_stdout() {
  const char* refused = std::getenv("NO_COLOR");
  return ::isatty(STDOUT_FILENO) && (!refused || *refused == '\0') ? Colour::always : Colour::never;
}

Colour colour_of(std::string_view choice) {
  if (choice == "always") return Colour::always;
  return choice == "never" ? Colour::never : colour_of_stdout();
}

std::string paint(const std::string& text, Tone tone, Colour colour) {
  if (colour == Colour::never || tone == Tone::plain) return text;
  const char* code = tone == Tone::good ? "32" : tone == Tone::bad ? "31;1" : tone == Tone::warn ? "33" : "2";
  return std::string("\033[") + code + "m" + text + "\033[0m";
}

}  // namespace base
