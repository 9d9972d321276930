// The configuration as a page may show it. It is written anew from the parsed tree instead of edited in place: what is
// not understood can then not slip through, and comments, which may hold an old password, are gone.
#include <algorithm>
#include <array>
#include <cctype>

#include "config/agent_config.h"

namespace config {
namespace {

constexpr std::string_view kHidden = "<secret>";

bool names_secret(std::string_view key) {
  std::string plain;
  for (const char c : key)
    if (c != '_' && c != '-' && c != '.') plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (plain.ends_with("file")) return false;
  static constexpr std::array kWords = {"secret",     "password",      "passwd",     "passphrase",
                                        "token",      "authorization", "cookie",     "credential",
                                        "apikey",     "accesskey",     "privatekey", "routingkey",
                                        "servicekey", "signingkey",    "webhookurl", "proxyconnectheader"};
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view word) { return plain.find(word) != std::string::npos; });
}

// user:password@ in an address, and name=value where the name is that of a secret (a query, an argument).
std::string scrubbed(std::string text) {
  for (std::size_t at = text.find("://"); at != std::string::npos; at = text.find("://", at + 3)) {
    const std::size_t end = std::min(text.find_first_of("/?# \n", at + 3), text.size());
    const std::size_t user = text.rfind('@', end - 1);
    if (user != std::string::npos && user >= at + 3 && user < end) text.replace(at + 3, user - at - 3, kHidden);
  }
  for (std::size_t equals = text.find('='); equals != std::string::npos; equals = text.find('=', equals + 1)) {
    const std::size_t before = text.find_last_of("?&; \t\n,", equals);
    const std::size_t start = before == std::string::npos ? 0 : before + 1;
    if (!names_secret(std::string_view(text).substr(start, equals - start))) continue;
    const std::size_t end = std::min(text.find_first_of("&; \t\n", equals), text.size());
    text.replace(equals + 1, end - equals - 1, kHidden);
  }
  return text;
}

// Plain where a reader of YAML takes it for the same string or number; else in double quotes.
std::string as_yaml(const std::string& text, bool was_quoted) {
  const bool plain = !was_quoted && !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || std::string_view("_./-+").find(c) != std::string_view::npos;
  }) && text[0] != '-';
  if (plain || text == kHidden) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') out += "\\n";
    else if (c == '\r') out += "\\r";
    else if (c == '\t') out += "\\t";
    else out += c;
  }
  return out + "\"";
}

void write(const Node& node, std::size_t indent, std::string& out);

void write_value(const Node& value, std::size_t indent, std::string& out) {
  const bool nested =
      (value.is_mapping() && !value.entries().empty()) || (value.is_sequence() && !value.items().empty());
  if (nested) {
    out += '\n';
    write(value, indent, out);
  } else {
    out += ' ';
    write(value, indent, out);
    out += '\n';
  }
}

void write(const Node& node, std::size_t indent, std::string& out) {
  switch (node.type()) {
    case Node::Type::null: out += '~'; return;
    case Node::Type::scalar: out += as_yaml(scrubbed(node.scalar()), node.quoted()); return;
    case Node::Type::sequence:
      if (node.items().empty()) out += "[]";
      for (const Node& item : node.items()) {
        out.append(indent, ' ') += '-';
        write_value(item, indent + 2, out);
      }
      return;
    case Node::Type::mapping:
      if (node.entries().empty()) out += "{}";
      for (const auto& [key, value] : node.entries()) {
        out.append(indent, ' ').append(as_yaml(key.scalar(), key.quoted())) += ':';
        if (names_secret(key.scalar())) out.append(" ").append(kHidden) += '\n';
        else write_value(value, indent + 2, out);
      }
      return;
  }
}

}  // namespace

std::string redact_secrets(std::string_view yaml_text) {
  Errors errors;
  const Node root = Node::parse(yaml_text, "", errors);
  if (!errors.empty()) return "# the file cannot be read, so nothing of it is shown\n";
  std::string out;
  if (!root.is_null()) write(root, 0, out);
  return out;
}

}  // namespace config
