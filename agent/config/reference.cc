#include "config/reference.h"

#include <string_view>

namespace config {
namespace {

constexpr std::size_t kWidth = 100;

void print_wrapped(std::string_view text, std::size_t indent, std::string& out) {
  std::size_t column = 0;
  while (!text.empty()) {
    const std::size_t end = text.find(' ');
    const std::string_view word = text.substr(0, end);
    if (column == 0) {
      out.append(indent, ' ').append(word);
      column = indent + word.size();
    } else if (column + 1 + word.size() > kWidth) {
      out.append("\n").append(indent, ' ').append(word);
      column = indent + word.size();
    } else {
      out.append(" ").append(word);
      column += 1 + word.size();
    }
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  if (column > 0) out += '\n';
}

void print_keys(const std::vector<KeyReference>& keys, std::size_t indent, std::string& out) {
  for (const KeyReference& key : keys) {
    out.append(indent, ' ').append(key.key).append(":  ");
    if (key.required) out += "(required)";
    else if (key.inner.empty()) out += "(default: " + key.fallback + ")";
    else out += "(optional)";
    out += '\n';
    print_wrapped(key.help, indent + 4, out);
    print_keys(key.inner, indent + 2, out);
  }
}

}  // namespace

std::string print_reference(const std::vector<ReferenceSection>& sections) {
  std::string out;
  for (const ReferenceSection& section : sections) {
    if (!out.empty()) out += '\n';
    out += section.title + "\n" + std::string(section.title.size(), '=') + "\n";
    print_wrapped(section.intro, 0, out);
    if (!section.example.empty()) out += "\nExample:\n" + section.example + "\n";
    print_keys(section.keys, 0, out);
  }
  return out;
}

}  // namespace config
