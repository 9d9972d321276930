// Colour for people: only where one looks, and never by colour alone.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

namespace base {

enum class Tone { plain, good, bad, warn, faint };
enum class Colour { never, always };

// always for a terminal on standard output, unless NO_COLOR is set (https://no-color.org: and not empty).
Colour colour_of_stdout();
// "always", "never", or what colour_of_stdout() says for "auto" and all else.
Colour colour_of(std::string_view choice);
std::string paint(const std::string& text, Tone tone, Colour colour);

// A text for a person, whatever foreign words are in it: its ends of lines and the colours of paint() stay, all else
// that steers a terminal is written out as foreign_lines() does.
std::string for_terminal(std::string_view text);

// All that commands say goes through here. What another program reads (an OpenMetrics page) does not.
template <typename... Arguments>
void print(std::FILE* out, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  const std::string text = for_terminal(fmt::format(format, std::forward<Arguments>(arguments)...));
  std::fwrite(text.data(), 1, text.size(), out);
}

}  // namespace base
