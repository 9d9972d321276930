// An expression of the Common Expression Language cut into its words.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace probe::cel {

// What is wrong with an expression, and where: bytes from its start.
struct ParseError {
  std::size_t at = 0;
  std::string text;
};

struct Token {
  enum class Kind { end, word, integer, unsigned_integer, real, string, sign };
  Kind kind = Kind::end;
  std::size_t at = 0;
  std::string text;  // a word or sign as written; a string's characters with its escapes replaced
  // Digits of a number; a minus is a sign of its own, and -9223372036854775808 must fit.
  std::uint64_t number = 0;
  double real = 0;
};

// Throws a ParseError, which stays inside cel/: Program::compile() gives it back as a value.
std::vector<Token> tokens_of(std::string_view text);

}  // namespace probe::cel
