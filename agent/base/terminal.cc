#include "base/terminal.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>

#include "base/text.h"

namespace base {
namespace {

// Only then a text may have colours of ours.
std::atomic<bool> has_painted{false};

std::string_view colour_at(std::string_view text) {
  static constexpr std::array<std::string_view, 5> kCodes{"\033[0m", "\033[2m", "\033[32m", "\033[33m", "\033[31;1m"};
  for (const std::string_view code : kCodes)
    if (text.starts_with(code)) return code;
  return {};
}

}  // namespace

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
  has_painted = true;
  const char* code = tone == Tone::good ? "32" : tone == Tone::bad ? "31;1" : tone == Tone::warn ? "33" : "2";
  return std::string("\033[") + code + "m" + text + "\033[0m";
}

std::string for_terminal(std::string_view text) {
  std::string out;
  for (std::size_t from = 0; has_painted;) {
    const std::size_t at = text.find('\033', from);
    if (at == std::string_view::npos) break;
    const std::string_view code = colour_at(text.substr(at));
    if (code.empty()) {
      from = at + 1;
      continue;
    }
    (out += foreign_lines(text.substr(0, at), std::string::npos)) += code;
    text.remove_prefix(at + code.size());
    from = 0;
  }
  return out + foreign_lines(text, std::string::npos);
}

}  // namespace base
