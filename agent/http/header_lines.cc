#include "http/header_lines.h"

#include <utility>
#include <vector>

#include "config/request.h"

namespace http {

bool read(const config::Node& node, HeaderLines& out, std::string& why) {
  if (!node.is_mapping()) {
    why = config::expected("a mapping", node);
    return false;
  }
  for (const auto& [name, value] : node.entries()) {
    std::vector<std::string> lines;
    if (value.is_sequence() ? !config::read(value, lines, why) : !config::read(value, lines.emplace_back(), why)) {
      why = name.scalar() + ": " + why;
      return false;
    }
    for (std::string& line : lines) out.all.emplace_back(name.scalar(), std::move(line));
  }
  why = config::headers_complaint(out.all);
  return why.empty();
}

std::string show(const HeaderLines&) { return "{}"; }

}  // namespace http
