// Words of protocols, in which the case of ASCII letters does not matter: header names, host names, verbs.
#pragma once

#include <string>
#include <string_view>

namespace base {

// Whether the two are the same without regard to case.
bool same_word(std::string_view a, std::string_view b);

std::string lower_case(std::string_view text);

// Without blanks and tabs at both ends.
std::string_view trim(std::string_view text);

}  // namespace base
