#include "http/framing.h"

#include "base/ascii.h"
#include "base/number.h"
#include "base/text.h"

namespace http {

std::string read_framing(const Headers& headers, Framing& out) {
  out = {};
  for (const auto& [name, value] : headers) {
    if (base::same_word(name, "Transfer-Encoding")) {
      if (!base::same_word(value, "chunked"))
        return "uses a transfer encoding that was not offered: " + base::shown(value);
      out.chunked = true;
    } else if (base::same_word(name, "Content-Length")) {
      if (value.empty()) continue;  // as Go has it: as good as none
      const auto length = base::read_number<std::uint64_t>(value);
      if (!length || *length > static_cast<std::uint64_t>(INT64_MAX))
        return "sent a bad Content-Length: " + base::shown(value);
      const auto declared = static_cast<std::int64_t>(*length);
      if (out.length >= 0 && out.length != declared) return "sent two different Content-Length headers";
      out.length = declared;
    }
  }
  return "";
}

}  // namespace http
