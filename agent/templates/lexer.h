// Cuts a template into text and the tokens between {{ and }}: Go text/template's lexical rules, trim markers and
// comments included. The whole template at once; a mistake is the last token.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace templates {

enum class TokenKind {
  error,
  eof,
  text,
  left_delimiter,
  right_delimiter,
  space,
  assign,   // =
  declare,  // :=
  pipe,
  left_paren,
  right_paren,
  character,  // any other ASCII character
  string,
  raw_string,
  character_constant,
  number,
  field,     // .Name
  variable,  // $name or $
  boolean,
  identifier,
  dot,
  nil,
  keyword,
};

struct Token {
  TokenKind kind = TokenKind::eof;
  std::size_t pos = 0;   // bytes from the start
  std::size_t line = 1;  // from 1
  std::string text;      // of an error: the message
};

std::vector<Token> tokenize(std::string_view text);

}  // namespace templates
