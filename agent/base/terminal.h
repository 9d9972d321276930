// Colour for people: only where one looks, and never by colour alone.
#pragma once

#include <string>
#include <string_view>

namespace base {

enum class Tone { plain, good, bad, warn, faint };
enum class Colour { never, always };

// always for a terminal on standard output, unless NO_COLOR is set (https://no-color.org: and not empty).
Colour colour_of_stdout();
// "always", "never", or what colour_of_stdout() says for "auto" and all else.
Colour colour_of(std::string_view choice);
std::string paint(const std::string& text, Tone tone, Colour colour);

}  // namespace base
