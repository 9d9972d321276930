#include "templates/message_template.h"

#include <algorithm>
#include <set>

#include "templates/ast.h"
#include "templates/interpreter.h"

namespace templates {

namespace {

// Into `called`: what is called from there, and from what that calls.
void collect_calls(const Tree& tree, const Node& node, std::set<std::string>& called) {
  if (node.kind == NodeKind::call && called.insert(node.value).second)
    if (const auto found = tree.definitions.find(node.value); found != tree.definitions.end())
      collect_calls(tree, *found->second, called);
  for (const NodePtr& each : node.children)
    if (each) collect_calls(tree, *each, called);
}

}  // namespace

MessageTemplate::MessageTemplate(std::string name, std::string text, std::unique_ptr<Tree> tree)
    : name_(std::move(name)), text_(std::move(text)), tree_(std::move(tree)) {}
MessageTemplate::MessageTemplate(MessageTemplate&&) noexcept = default;
MessageTemplate& MessageTemplate::operator=(MessageTemplate&&) noexcept = default;
MessageTemplate::~MessageTemplate() = default;

base::Result<MessageTemplate> MessageTemplate::parse(std::string_view name, std::string_view text,
                                                     const std::vector<Definitions>& definitions) {
  if (text.find("{{") == std::string_view::npos) return MessageTemplate(std::string(name), std::string(text), nullptr);
  TRY(const Tree alone, parse_message_template(text));  // its mistakes have its own lines
  // One text, so that a mistake while it runs finds its place; of the files only what they define is left.
  std::string whole;
  for (const Definitions& each : definitions) whole += each.text;
  whole += "{{/**/}}";  // so that the text's first words are no part of what stands before them
  const std::size_t begin = whole.size();
  whole += text;
  TRY(Tree tree, parse_message_template(whole));
  std::erase_if(tree.root->children, [&](const NodePtr& node) { return node->pos < begin; });
  std::size_t at = 0;
  for (const Definitions& each : definitions) {
    tree.parts.push_back({at, each.name});
    at += each.text.size();
  }
  tree.parts.push_back({begin, std::string(name)});
  return MessageTemplate(std::string(name), std::string(text), std::make_unique<Tree>(std::move(tree)));
}

std::vector<std::string> MessageTemplate::undefined() const {
  std::vector<std::string> out;
  if (!tree_) return out;
  std::set<std::string> called;
  collect_calls(*tree_, *tree_->root, called);
  for (const std::string& name : called)
    if (!tree_->definitions.contains(name)) out.push_back(name);
  return out;
}

base::Result<std::string> MessageTemplate::execute(const Value& data, Output output) const {
  if (!tree_) return text_;
  const TemplateData none;
  const TemplateContext context;
  return Interpreter(*tree_, name_, none, context, output == Output::html).run(data);
}

}  // namespace templates
