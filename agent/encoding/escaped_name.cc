#include "encoding/escaped_name.h"

#include "base/ascii.h"

namespace encoding {

std::string as_label_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if ((static_cast<unsigned char>(c) & 0xc0U) == 0x80) continue;  // inside a character of UTF-8
    out += base::is_alphanumeric(c) || c == '_' ? c : '_';
  }
  return out;
}

std::string escaped_label_name(std::string_view name) {
  std::string out = as_label_name(name);
  if (!out.empty() && base::is_digit(out[0])) out[0] = '_';
  return out;
}

}  // namespace encoding
