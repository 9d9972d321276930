#include "config/redact.h"

#include <algorithm>
#include <cctype>
#include <string_view>
#include <vector>

#include "config/flow_text.h"

namespace config {
namespace {

// Plain where a reader of YAML takes it for the same string or number; else in double quotes.
std::string as_yaml(const std::string& text, bool was_quoted) {
  const bool plain = !was_quoted && !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || std::string_view("_./-+").find(c) != std::string_view::npos;
  }) && text[0] != '-';
  if (plain || text == base::kHidden) return text;
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

bool is_public_name(std::string_view name, std::string_view mapping) {
  return (mapping == "headers" && base::is_public_header(name)) ||
         (mapping == "environment" && base::is_public_variable(name));
}

// Headers of a mail are texts for everybody, but for one that is a key of the gateway.
bool is_secret_header(std::string_view name, std::string_view mapping) {
  return mapping == "headers" && base::names_secret(name);
}

std::string shown_scalar(const Node& node) {
  switch (node.exposure()) {
    case Exposure::shown: return base::without_secrets(node.scalar());
    case Exposure::origin: return base::origin_of(node.scalar());
    case Exposure::unknown:
    case Exposure::withheld: break;
  }
  return std::string(base::kHidden);
}

bool has_all_shown(const std::vector<Node>& items) {
  return std::all_of(items.begin(), items.end(),
                     [](const Node& item) { return item.is_scalar() && item.exposure() == Exposure::shown; });
}

std::vector<std::string> texts_of(const std::vector<Node>& items) {
  std::vector<std::string> out;
  for (const Node& item : items) out.push_back(item.scalar());
  return out;
}

// An address in a file is there for the token in it: url_file, api_url_file.
bool holds_secret_file(std::string_view key) {
  if (!key.ends_with("_file")) return false;
  key.remove_suffix(5);
  return key.ends_with("url") || base::names_secret(key);
}

// A secret in the place of a path.
bool is_misplaced(std::string_view key, std::string_view mapping, std::string_view text) {
  const bool secret = holds_secret_file(key) || mapping == "variable_files";
  if (text.empty() || !(secret || key.ends_with("_file"))) return false;
  if (secret && (text.starts_with("whsec_") || text.ends_with('='))) return true;
  const bool word = text.find('/') == std::string_view::npos;
  return word && (secret || text.find('.') == std::string_view::npos);
}

// `key` is the one that the node stands under.
void write(const Node& node, std::string_view key, std::size_t indent, std::string& out);

void write_value(const Node& value, std::string_view key, std::size_t indent, std::string& out) {
  const bool nested =
      (value.is_mapping() && !value.entries().empty()) || (value.is_sequence() && !value.items().empty());
  out += nested ? '\n' : ' ';
  write(value, key, indent, out);
  if (!nested) out += '\n';
}

// A list of words may be a command: what a word says depends on the one before.
void write_items(const std::vector<Node>& items, std::string_view key, std::size_t indent, std::string& out) {
  if (items.empty()) out += "[]";
  std::vector<std::string> words;
  if (has_all_shown(items)) words = base::without_secrets(texts_of(items));
  for (std::size_t i = 0; i < items.size(); ++i) {
    out.append(indent, ' ') += '-';
    if (words.empty()) write_value(items[i], key, indent + 2, out);
    else out.append(" ").append(as_yaml(words[i], items[i].quoted())) += '\n';
  }
}

void write(const Node& node, std::string_view key, std::size_t indent, std::string& out) {
  switch (node.type()) {
    case Node::Type::null: out += '~'; return;
    case Node::Type::scalar:
      out += is_misplaced(key, "", node.scalar()) ? base::kHidden : as_yaml(shown_scalar(node), node.quoted());
      return;
    case Node::Type::sequence: return write_items(node.items(), key, indent, out);
    case Node::Type::mapping:
      if (node.entries().empty()) out += "{}";
      for (const auto& [name, value] : node.entries()) {
        const std::string text = as_yaml(name.scalar(), name.quoted());
        out.append(indent, ' ');
        if (is_long_key(text)) out.append("? ").append(text).append("\n").append(indent, ' ') += ':';
        else out.append(text) += ':';
        if (value.is_scalar() && is_secret_header(name.scalar(), key)) out.append(" ").append(base::kHidden) += '\n';
        else if (value.is_scalar() && is_public_name(name.scalar(), key))
          out.append(" ").append(as_yaml(base::without_secrets(value.scalar()), value.quoted())) += '\n';
        else write_value(value, name.scalar(), indent + 2, out);
      }
      return;
  }
}

void collect_login(const Node& node, base::KnownSecrets& out) {
  const auto text = [&](const char* key) { return node.find(key).scalar(); };
  for (const auto& [user, password] :
       {std::pair{"username", "password"}, {"user", "password"}, {"client_id", "client_secret"}})
    out.add_login({text(user), text((std::string(user) + "_file").c_str()), text(password),
                   text((std::string(password) + "_file").c_str())});
}

void collect(const Node& node, std::string_view key, std::string_view mapping, base::KnownSecrets& out) {
  if (node.is_scalar()) {
    const std::string& text = node.scalar();
    for (const std::string& value : base::secrets_in(text)) out.add(value);
    // The key of a certificate never leaves.
    if (key != "key_file" && holds_secret_file(key)) out.add_file(text);
    if (is_misplaced(key, mapping, text)) out.add(text);
    if (mapping == "variable_files") out.add_file(text);
    if ((base::names_secret(key) && node.exposure() != Exposure::shown) || is_secret_header(key, mapping))
      out.add(text);
    const bool withheld = node.exposure() == Exposure::withheld && !is_public_name(key, mapping);
    if (withheld) out.add_text(text);
    if (withheld || node.exposure() == Exposure::origin) out.add_path(text);
  }
  if (node.is_mapping()) collect_login(node, out);
  if (key == "http_headers")
    for (const auto& [name, lines] : node.entries())
      for (const Node& file : lines.find("files").items()) out.add_file(file.scalar());
  const std::vector<Node> items = node.items();
  if (has_all_shown(items))
    for (const std::string& value : base::secrets_in(texts_of(items))) out.add(value);
  for (const Node& item : items) collect(item, key, mapping, out);
  for (const auto& [name, value] : node.entries()) collect(value, name.scalar(), key, out);
}

bool holds(const Node& node, std::string_view key, std::string_view mapping) {
  if (node.is_scalar() && !node.scalar().empty()) {
    if (key.ends_with("_file") ? holds_secret_file(key) : base::names_secret(key)) return true;
    if (mapping == "variable_files" || !base::secrets_in(node.scalar()).empty()) return true;
    return node.exposure() != Exposure::shown && !is_public_name(key, mapping);
  }
  for (const Node& item : node.items())
    if (holds(item, key, mapping)) return true;
  for (const auto& [name, value] : node.entries())
    if (holds(value, name.scalar(), key)) return true;
  return has_all_shown(node.items()) && !base::secrets_in(texts_of(node.items())).empty();
}

}  // namespace

std::string shown_config(const Node& root) {
  std::string out;
  if (!root.is_null()) write(root, "", 0, out);
  return out;
}

base::KnownSecrets secrets_of(const Node& node) {
  base::KnownSecrets out;
  collect(node, "", "", out);
  return out;
}

bool holds_secrets(const Node& value, std::string_view key) { return holds(value, key, ""); }

}  // namespace config
