#include "encoding/escaped_name.h"

#include "base/ascii.h"

namespace encoding {

std::string escaped_label_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if ((static_cast<unsigned char>(c) & 0xc0U) == 0x80) continue;  // inside a character of UTF-8
    const bool known = base::is_alphanumeric(c) || c == '_';
    out += known && !(out.empty() && base::is_digit(c)) ? c : '_';
  }
  return out;
}

}  // namespace encoding
