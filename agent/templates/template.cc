#include "templates/template.h"

#include <fmt/format.h>

#include "base/check.h"
#include "templates/ast.h"
#include "templates/interpreter.h"

namespace templates {
namespace {

bool has_actions(std::string_view text) { return text.find("{{") != std::string_view::npos; }

}  // namespace

OpenTemplate::OpenTemplate(const Template& of, std::unique_ptr<const Tree> tree) : of_(&of), tree_(std::move(tree)) {}
OpenTemplate::OpenTemplate(OpenTemplate&&) noexcept = default;
OpenTemplate::~OpenTemplate() = default;

base::Result<std::string> OpenTemplate::execute(const TemplateData& data, const TemplateContext& context) const {
  if (!tree_) return of_->text_;
  return Interpreter(*tree_, of_->name_, data, context).run();
}

std::string OpenTemplate::expand(const TemplateData& data, const TemplateContext& context) const {
  auto text = execute(data, context);
  if (text) return std::move(*text);
  return fmt::format("<error expanding template: error executing template {}: {}>", of_->name_, text.error().text);
}

base::Result<Template> Template::parse(std::string_view name, std::string_view text, promql::Compat compat) {
  const Dialect dialect = compat == promql::Compat::v2 ? Dialect::rule_2 : Dialect::rule;
  if (has_actions(text)) TRY_VOID(parse_template(text, dialect));
  return Template("__alert_" + std::string(name), std::string(text), dialect);
}

OpenTemplate Template::open() const {
  if (!has_actions(text_)) return {*this, nullptr};
  base::Result<Tree> tree = parse_template(text_, dialect_);
  CHECK(tree.has_value());  // it was, when it was read
  return {*this, std::make_unique<const Tree>(std::move(*tree))};
}

}  // namespace templates
