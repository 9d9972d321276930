#include "templates/ast.h"

#include <fmt/format.h>

namespace templates {
namespace {

std::string join(const std::vector<NodePtr>& nodes, const char* between) {
  std::string out;
  for (const NodePtr& node : nodes) {
    if (!out.empty()) out += between;
    out += node->kind == NodeKind::pipe ? "(" + node->to_string() + ")" : node->to_string();
  }
  return out;
}

std::string dotted(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += "." + name;
  return out;
}

}  // namespace

std::string Node::to_string() const {
  switch (kind) {
    case NodeKind::list: {
      std::string out;
      for (const NodePtr& child : children) out += child->to_string();
      return out;
    }
    case NodeKind::action: return "{{" + children[0]->to_string() + "}}";
    case NodeKind::pipe: {
      std::string out;
      for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
      if (!out.empty()) out += " := ";
      return out + join(children, " | ");
    }
    case NodeKind::command: return join(children, " ");
    case NodeKind::field: return dotted(names);
    case NodeKind::variable: {
      std::string out = names[0];
      for (std::size_t i = 1; i < names.size(); ++i) out += "." + names[i];
      return out;
    }
    case NodeKind::chain: return join(children, " ") + dotted(names);
    case NodeKind::branch_if:
    case NodeKind::branch_with:
    case NodeKind::range: {
      const char* word = kind == NodeKind::branch_if ? "if" : kind == NodeKind::branch_with ? "with" : "range";
      std::string out = fmt::format("{{{{{} {}}}}}{}", word, children[0]->to_string(), children[1]->to_string());
      if (children[2]) out += "{{else}}" + children[2]->to_string();
      return out + "{{end}}";
    }
    case NodeKind::call: return "{{template " + text + (children.empty() ? "" : " " + children[0]->to_string()) + "}}";
    case NodeKind::leave: return "{{break}}";
    case NodeKind::next: return "{{continue}}";
    default: return text;
  }
}

}  // namespace templates
