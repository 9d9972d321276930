// What the command line says of itself: help with examples, and the command that was probably meant.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace cli {

// Puts examples below the help of each command that has some. After all commands were added.
void add_examples(CLI::App& top);

// The help of the command that these words name: "rules debug"; of the whole program without words. Empty if there is
// no such command.
std::string help_of(CLI::App& top, const std::vector<std::string>& words);

// If the words of a line name a command that does not exist: what to say, with the nearest one that does. Else empty.
std::string unknown_command(CLI::App& top, const std::vector<std::string>& words);

// What is wrong with a line that `top` has refused: which command it is about, the option that was probably meant or
// the commands that may follow, and where the help is. Two lines.
std::string wrong_line(const CLI::App& top, const CLI::ParseError& error);

}  // namespace cli
