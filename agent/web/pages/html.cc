#include "web/pages/html.h"

#include "base/text.h"

namespace web {

std::string escape(std::string_view bytes) {
  // Control characters have no business in a page, and HTML forbids them.
  const std::string text = base::foreign_lines(bytes, std::string::npos);
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

}  // namespace web
