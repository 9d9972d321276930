// Walks a parsed template. A member of one expansion: variables, output so far, steps taken.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "templates/ast.h"
#include "templates/template.h"

namespace templates {

class Interpreter {
 public:
  Interpreter(const Tree& tree, std::string_view name, const TemplateData& data, const TemplateContext& context,
              bool escapes_html = false)
      : tree_(tree), name_(name), data_(data), context_(context), escapes_html_(escapes_html) {}
  base::Result<std::string> run(const Value& data = Root{});

 private:
  using Answer = base::Result<Value>;
  enum class Flow { on, leave, next };  // after a node: go on, {{break}}, {{continue}}

  base::Result<Flow> walk(const Value& dot, const Node& node);
  base::Result<Flow> branch(const Value& dot, const Node& node);
  base::Result<Flow> range(const Value& dot, const Node& node);
  base::Result<Flow> one_iteration(const Node& node, const Value& index, const Value& element);
  base::Result<Flow> call_template(const Value& dot, const Node& node);
  base::Result<> print(const Value& value);

  Answer pipeline(const Value& dot, const Node& pipe);
  Answer command(const Value& dot, const Node& command, const Value& final);
  Answer call_function(const Value& dot, const Node& name, const Node& whole, const Value& final);
  base::Result<std::vector<Value>> arguments(const Value& dot, const Function& function, const Node& whole,
                                             const Value& final);
  Answer short_circuit(const Value& dot, const Function& function, const Node& whole, const Value& final);
  Answer argument(const Value& dot, const Node& node, Parameter type);
  Answer any_argument(const Value& dot, const Node& node);
  Answer checked(Value value, Parameter type);
  Answer variable(const Node& node, bool has_arguments);
  Answer fields(Value value, const std::vector<std::string>& names, std::size_t from, bool has_arguments);
  Answer field(const Value& value, const std::string& name, bool has_arguments);
  // A method that takes an argument, of the value before the last of `names`; nothing: there is none.
  base::Result<std::optional<Value>> method(const Value& dot, const Node& first, const Node& whole, const Value& final);
  base::Result<std::optional<Value>> call_method(const Value& of, const std::string& name, const Value& argument) const;
  Answer moment_method(const Moment& moment, const std::string& name) const;
  Answer constant(const Node& number);

  base::Result<> step();
  // Large values cost steps, too large ones are refused: a variable can be doubled without ever being written.
  base::Result<> charge(const Value& value);
  // With the place in the template and the node where it happened, as Go words it.
  tl::unexpected<base::Error> wrong(const std::string& what) const;

  const Tree& tree_;
  std::string_view name_;
  const TemplateData& data_;
  const TemplateContext& context_;
  const bool escapes_html_;  // of what actions print
  std::string out_;
  std::vector<std::pair<std::string, Value>> variables_;
  const Node* at_ = nullptr;
  std::string_view template_ = {};  // the one that runs: the rule's own or a defined one
  std::size_t steps_ = 0;
  int depth_ = 0;
};

}  // namespace templates
