#include "probe/http/template.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/percent.h"
#include "config/scalar.h"

namespace probe {
namespace {

using nlohmann::json;

std::string json_string(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string encoded(const Variable& variable, Template::Encoding encoding) {
  switch (encoding) {
    case Template::Encoding::plain: return variable.text;
    case Template::Encoding::url: return base::percent_encode(variable.text);
    case Template::Encoding::json_value: return variable.json ? variable.text : json_string(variable.text);
    case Template::Encoding::json_text: {
      const std::string quoted = json_string(variable.text);
      return quoted.substr(1, quoted.size() - 2);
    }
  }
  return "";
}

}  // namespace

bool is_variable_name(std::string_view name) {
  return !name.empty() && !std::isdigit(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '_'; });
}

base::Result<Template> Template::parse(std::string_view text, Encoding encoding) {
  Template out;
  out.text_ = text;
  TRY_VOID(out.append_parsed(text, encoding));
  if (encoding == Encoding::url && !out.pieces_.empty() && out.pieces_[0].variable)
    out.pieces_[0].encoding = Encoding::plain;
  return out;
}

base::Result<Template> Template::parse_json(const config::Node& node) {
  Template out;
  TRY_VOID(out.append_json(node));
  return out;
}

void Template::append(std::string_view literal) {
  if (literal.empty()) return;
  if (pieces_.empty() || pieces_.back().variable) pieces_.push_back({});
  pieces_.back().text += literal;
}

void Template::append(const Template& other) {
  for (const Piece& piece : other.pieces_) {
    if (piece.variable) pieces_.push_back(piece);
    else append(piece.text);
  }
}

base::Result<> Template::append_parsed(std::string_view text, Encoding encoding) {
  // A literal inside a JSON string is escaped as the values are.
  const auto add = [&](std::string_view literal) {
    append(encoding == Encoding::json_text ? encoded({std::string(literal), false}, encoding) : std::string(literal));
  };
  while (!text.empty()) {
    const std::size_t at = text.find("${");
    if (at == std::string_view::npos) {
      add(text);
      break;
    }
    if (at > 0 && text[at - 1] == '$') {
      add(text.substr(0, at - 1));
      add("${");
      text.remove_prefix(at + 2);
      continue;
    }
    const std::size_t end = text.find('}', at);
    const std::string_view written = text.substr(at, end == std::string_view::npos ? end : end - at + 1);
    const std::string_view name = end == std::string_view::npos ? "" : written.substr(2, written.size() - 3);
    if (!is_variable_name(name))
      return base::fail(base::Kind::invalid,
                        "'" + std::string(written) + "' is no variable; write ${name}, or $${ for the characters ${");
    add(text.substr(0, at));
    pieces_.push_back({std::string(name), true, encoding});
    text.remove_prefix(end + 1);
  }
  return {};
}

base::Result<> Template::append_json(const config::Node& node) {
  if (node.is_null()) {
    append("null");
  } else if (node.is_sequence()) {
    append("[");
    bool first = true;
    for (const config::Node& item : node.items()) {
      if (!std::exchange(first, false)) append(",");
      TRY_VOID(append_json(item));
    }
    append("]");
  } else if (node.is_mapping()) {
    append("{");
    bool first = true;
    for (const auto& [key, value] : node.entries()) {
      if (!std::exchange(first, false)) append(",");
      append(json_string(key.scalar()) + ":");
      TRY_VOID(append_json(value));
    }
    append("}");
  } else {
    const std::string& text = node.scalar();
    const bool number =
        !text.empty() && (text[0] == '-' || std::isdigit(static_cast<unsigned char>(text[0]))) && json::accept(text);
    if (!node.quoted() && (number || text == "true" || text == "false" || text == "null")) append(text);
    else TRY_VOID(append_json_string(text));
  }
  return {};
}

base::Result<> Template::append_json_string(const std::string& text) {
  Template inner;
  TRY_VOID(inner.append_parsed(text, Encoding::json_text));
  if (inner.pieces_.size() == 1 && inner.pieces_[0].variable) {
    pieces_.push_back({inner.pieces_[0].text, true, Encoding::json_value});
    return {};
  }
  append("\"");
  append(inner);
  append("\"");
  return {};
}

std::vector<std::string> Template::variables() const {
  std::vector<std::string> names;
  for (const Piece& piece : pieces_)
    if (piece.variable) names.push_back(piece.text);
  return names;
}

base::Result<std::string> Template::fill(const Variables& variables) const {
  std::string out;
  for (const Piece& piece : pieces_) {
    if (!piece.variable) {
      out += piece.text;
      continue;
    }
    const auto found = variables.find(piece.text);
    if (found == variables.end())
      return base::fail(base::Kind::not_found, "there is no value for ${" + piece.text + "}");
    out += encoded(found->second, piece.encoding);
  }
  return out;
}

bool read(const config::Node& node, Template& out, std::string& why) {
  std::string text;
  if (!config::read(node, text, why)) return false;
  auto parsed = Template::parse(text);
  if (!parsed) {
    why = parsed.error().text;
    return false;
  }
  out = std::move(*parsed);
  return true;
}

std::string show(const Template& value) { return config::show(value.text()); }

}  // namespace probe
