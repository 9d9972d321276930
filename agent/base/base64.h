// Base64 (RFC 4648), with the leniency that its reader needs. Pure; from every thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace base {

// The last two letters: "+/", or "-_" as in URLs and tokens.
enum class Base64Alphabet { standard, url };

// What a reader takes: the standard alphabet with its padding; the same without it, too; or either alphabet, with
// padding or without.
enum class Base64Form { strict, unpadded, any };

std::string base64_encode(std::string_view bytes, Base64Alphabet alphabet = Base64Alphabet::standard);  // padded

// Nothing for what is no base64 of that form, and for "" where it is strict.
std::optional<std::string> base64_decode(std::string_view text, Base64Form form = Base64Form::strict);

}  // namespace base
