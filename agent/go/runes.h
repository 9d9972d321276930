// Upper and lower case, and what is part of a word, of one code point.
#pragma once

namespace go {

char32_t upper(char32_t c);
char32_t lower(char32_t c);
// A letter, a digit or _.
bool word_rune(char32_t c);

}  // namespace go
