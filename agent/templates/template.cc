#include "templates/template.h"

#include <fmt/format.h>

#include "templates/ast.h"
#include "templates/interpreter.h"

namespace templates {

Template::Template(std::string name, std::string text, std::unique_ptr<Tree> tree)
    : name_(std::move(name)), text_(std::move(text)), tree_(std::move(tree)) {}
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;
Template::~Template() = default;

base::Result<Template> Template::parse(std::string_view name, std::string_view text, promql::Compat compat) {
  std::string full_name = "__alert_" + std::string(name);
  if (text.find("{{") == std::string_view::npos) return Template(std::move(full_name), std::string(text), nullptr);
  TRY(Tree tree, parse_template(text, compat == promql::Compat::v2 ? Dialect::rule_2 : Dialect::rule));
  return Template(std::move(full_name), std::string(text), std::make_unique<Tree>(std::move(tree)));
}

base::Result<std::string> Template::execute(const TemplateData& data, const TemplateContext& context) const {
  if (!tree_) return text_;
  return Interpreter(*tree_, name_, data, context).run();
}

std::string Template::expand(const TemplateData& data, const TemplateContext& context) const {
  auto text = execute(data, context);
  if (text) return std::move(*text);
  return fmt::format("<error expanding template: error executing template {}: {}>", name_, text.error().text);
}

}  // namespace templates
