#include "probe/target_draft.h"

#include <utility>

#include "config/flow_text.h"

namespace probe {
namespace {

using config::Errors;
using config::Node;
using config::ValueFormat;

base::Result<std::string> refuse(std::string why) { return base::fail(base::Kind::invalid, std::move(why)); }

}  // namespace

std::string plain_or_quoted(std::string_view value) {
  const bool plain = !value.empty() && value.find_first_not_of(
                                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                           "0123456789._") == std::string_view::npos;
  return plain ? std::string(value) : config::quoted_text(value);
}

base::Result<std::string> filled(const Node& node, ValueFormat format, const config::ValueOf& value_of) {
  if (node.is_sequence()) {
    std::string out;
    for (const Node& item : node.items()) {
      // The program itself is written in the template, and checked when that is read.
      const bool program = format == ValueFormat::arguments && out.empty();
      TRY(const std::string one,
          program ? base::Result<std::string>(config::flow_text(item)) : filled(item, format, value_of));
      out += (out.empty() ? "" : ", ") + one;
    }
    return "[" + out + "]";
  }
  if (node.is_mapping()) {
    std::string out;
    for (const auto& [key, value] : node.entries()) {
      TRY(const std::string one, filled(value, format, value_of));
      out += (out.empty() ? "" : ", ") + config::quoted_text(key.scalar()) + ": " + one;
    }
    return "{" + out + "}";
  }
  if (!node.is_scalar() || node.scalar().find("${") == std::string::npos) return config::flow_text(node);
  TRY(const std::string text, config::filled_in(node.scalar(), format, value_of));
  return node.quoted() ? config::quoted_text(text) : plain_or_quoted(text);
}

base::Result<std::string> whole_value(std::string_view value, ValueFormat format) {
  const ValueFormat held = format == ValueFormat::word || format == ValueFormat::arguments ? ValueFormat::text : format;
  if (value.starts_with('[') || value.starts_with('{')) {
    Errors errors;
    const Node node = Node::parse(std::string(value), "label", errors);
    if (!errors.empty() || !(node.is_sequence() || node.is_mapping())) return refuse("is no list and no mapping");
    const auto fits = [&](const Node& item) {
      return item.is_scalar() && config::foreign_complaint(item.scalar(), held).empty();
    };
    for (const Node& item : node.items())
      if (!fits(item)) return refuse("has something else than single values in its list");
    for (const auto& [key, item] : node.entries())
      if (!fits(key) || !fits(item)) return refuse("has something else than single values in its mapping");
    return config::flow_text(node);
  }
  if (const std::string why = config::foreign_complaint(value, held); !why.empty()) return refuse(why);
  return plain_or_quoted(value);
}

Node TargetDraft::parse(const std::string& origin, Errors& errors, std::size_t line) const {
  std::string text;
  for (const auto& [key, value] : values_) text += (text.empty() ? "" : ", ") + config::quoted_text(key) + ": " + value;
  return Node::parse(std::string(line - 1, '\n') + "{" + text + "}", origin, errors);
}

}  // namespace probe
