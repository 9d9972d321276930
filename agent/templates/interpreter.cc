#include "templates/interpreter.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "go/format.h"
#include "templates/object.h"
#include "templates/print.h"

namespace templates {
namespace {

constexpr int kMaxDepth = 50;  // of templates that call templates

bool absent(const Value& v) { return v.is<Missing>(); }

}  // namespace

base::Result<std::string> Interpreter::run(const Value& data) {
  template_ = name_;
  variables_.emplace_back("$", data);
  auto flow = tree_.before ? walk(data, *tree_.before->root) : base::Result<Flow>(Flow::on);
  if (flow) flow = walk(data, *tree_.root);
  if (flow) return std::move(out_);
  // Of a message that is too long, its beginning is told.
  const bool too_long = out_.size() > Template::kMaxOutput || steps_ > Template::kMaxSteps;
  if (tree_.dialect != Dialect::message || !too_long || out_.empty()) return tl::unexpected<base::Error>(flow.error());
  return std::string(base::cut(out_, Template::kMaxOutput)) + "…";
}

tl::unexpected<base::Error> Interpreter::wrong(const std::string& what) const {
  if (!at_) return base::fail(base::Kind::invalid, fmt::format("template: {}: {}", name_, what));
  std::size_t begin = 0;
  std::string_view part = name_;
  for (const Tree::Part& each : tree_.parts)
    if (each.begin <= at_->pos) begin = each.begin, part = each.name;
  const std::string_view before = std::string_view(tree_.text).substr(begin, at_->pos - begin);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const auto newline = before.rfind('\n');
  const std::size_t column = newline == std::string_view::npos ? before.size() : before.size() - newline - 1;
  return base::fail(base::Kind::invalid, fmt::format("template: {}:{}:{}: executing {} at <{}>: {}", part, line, column,
                                                     go::quote(template_), at_->to_string(), what));
}

base::Result<> Interpreter::step() {
  if (++steps_ > Template::kMaxSteps) return wrong(fmt::format("more than {} steps", Template::kMaxSteps));
  if (out_.size() > Template::kMaxOutput) return wrong(fmt::format("more than {} bytes of text", Template::kMaxOutput));
  return {};
}

base::Result<> Interpreter::charge(const Value& value) {
  const std::size_t bytes = weight(value);
  if (bytes > Template::kMaxValue) return wrong(fmt::format("a value of more than {} bytes", Template::kMaxValue));
  steps_ += bytes / 1024;
  return {};
}

// ---- statements ----

base::Result<Interpreter::Flow> Interpreter::walk(const Value& dot, const Node& node) {
  at_ = &node;
  TRY_VOID(step());
  switch (node.kind) {
    case NodeKind::list:
      for (const NodePtr& child : node.children) {
        TRY(const Flow flow, walk(dot, *child));
        if (flow != Flow::on) return flow;
      }
      return Flow::on;
    case NodeKind::text: out_ += node.text; return Flow::on;
    case NodeKind::action: {
      TRY(const Value value, pipeline(dot, *node.children[0]));
      at_ = &node;
      if (node.children[0]->names.empty()) TRY_VOID(print(value));
      return Flow::on;
    }
    case NodeKind::branch_if:
    case NodeKind::branch_with: return branch(dot, node);
    case NodeKind::range: return range(dot, node);
    case NodeKind::call: return call_template(dot, node);
    case NodeKind::leave: return Flow::leave;
    case NodeKind::next: return Flow::next;
    default: return wrong("unknown node: " + node.to_string());
  }
}

base::Result<Interpreter::Flow> Interpreter::branch(const Value& dot, const Node& node) {
  const std::size_t mark = variables_.size();
  TRY(const Value value, pipeline(dot, *node.children[0]));
  Flow flow = Flow::on;
  if (truth(value)) {
    TRY(flow, walk(node.kind == NodeKind::branch_with ? value : dot, *node.children[1]));
  } else if (node.children[2]) {
    TRY(flow, walk(dot, *node.children[2]));
  }
  variables_.resize(mark);
  return flow;
}

base::Result<Interpreter::Flow> Interpreter::one_iteration(const Node& node, const Value& index, const Value& element) {
  const std::size_t mark = variables_.size();
  const std::size_t declared = node.children[0]->names.size();
  if (declared > 0) variables_[mark - 1].second = element;
  if (declared > 1) variables_[mark - 2].second = index;
  TRY(const Flow flow, walk(element, *node.children[1]));
  variables_.resize(mark);
  return flow;
}

base::Result<Interpreter::Flow> Interpreter::range(const Value& dot, const Node& node) {
  const std::size_t mark = variables_.size();
  TRY(const Value over, pipeline(dot, *node.children[0]));
  std::vector<std::pair<Value, Value>> elements;
  if (const auto* labels = over.as<model::Labels>()) {
    for (const model::Label& label : *labels) elements.emplace_back(std::string(label.name), std::string(label.value));
  } else if (const auto* items = over.as<Items>()) {
    for (const Item& item : items->list) elements.emplace_back(static_cast<std::int64_t>(elements.size()), item);
  } else if (const auto* object = over.as<Object>(); object && object->rep->kind != ObjectRep::Kind::structure) {
    elements = object->rep->elements;
  } else if (const auto* list = over.as<Arguments>()) {
    for (const Value& v : list->list) elements.emplace_back(fmt::format("arg{}", elements.size()), v);
  } else if (const auto* count = over.as<std::int64_t>(); count != nullptr && context_.compat == promql::Compat::v3) {
    if (node.children[0]->names.size() > 1)
      return wrong(fmt::format("can't use {} to iterate over more than one variable", *count));
    if (*count > static_cast<std::int64_t>(Template::kMaxSteps)) return wrong("range over too large a number");
    for (std::int64_t i = 0; i < *count; ++i) elements.emplace_back(i, i);
  } else if (!over.is<Nil>()) {
    return wrong("range can't iterate over " + print_value(over));
  }
  Flow flow = Flow::on;
  for (const auto& [index, element] : elements) {
    TRY(flow, one_iteration(node, index, element));
    if (flow == Flow::leave) break;
  }
  if (elements.empty() && node.children[2]) {
    TRY(flow, walk(dot, *node.children[2]));
    variables_.resize(mark);
    return flow;
  }
  variables_.resize(mark);
  return Flow::on;
}

base::Result<Interpreter::Flow> Interpreter::call_template(const Value& dot, const Node& node) {
  const auto found = tree_.definitions.find(node.value);
  if (found == tree_.definitions.end()) return wrong(fmt::format("template {} not defined", go::quote(node.value)));
  if (depth_ >= kMaxDepth) return wrong(fmt::format("exceeded maximum template depth ({})", kMaxDepth));
  Value inner = Nil{};
  if (!node.children.empty()) {
    TRY(inner, pipeline(dot, *node.children[0]));
  }
  // Variables do not reach into a called template; its $ is its dot.
  std::vector<std::pair<std::string, Value>> outer = {{"$", inner}};
  outer.swap(variables_);
  const std::string_view caller = std::exchange(template_, node.value);
  ++depth_;
  TRY([[maybe_unused]] const Flow flow, walk(inner, *found->second));
  --depth_;
  template_ = caller;
  variables_.swap(outer);
  return Flow::on;
}

base::Result<> Interpreter::print(const Value& value) {
  if (value.is<Nil>() || absent(value)) out_ += "<no value>";
  else if (value.is<Root>())
    out_ += fmt::format("{{{} {} {} {}}}", print_value(data_.labels), print_value(data_.external_labels),
                        context_.external_url, print_value(data_.value));
  else if (value.is<Item>()) out_ += print_value(value).substr(1);  // Go prints what the pointer points to
  else if (escapes_html_ && !value.is<Html>()) out_ += html_escaped(print_value(value));
  else out_ += print_value(value);
  return step();
}

// ---- expressions ----

Interpreter::Answer Interpreter::pipeline(const Value& dot, const Node& pipe) {
  at_ = &pipe;
  Value value = Missing{};
  for (const NodePtr& one : pipe.children) {
    TRY(value, command(dot, *one, value));
  }
  for (const std::string& name : pipe.names) {
    if (!pipe.assigns) {
      variables_.emplace_back(name, value);
      continue;
    }
    for (auto it = variables_.rbegin(); it != variables_.rend(); ++it) {
      if (it->first != name) continue;
      it->second = value;
      break;
    }
  }
  return value;
}

Interpreter::Answer Interpreter::command(const Value& dot, const Node& whole, const Value& final) {
  TRY_VOID(step());
  const Node& first = *whole.children[0];
  const bool has_arguments = whole.children.size() > 1 || !absent(final);
  const auto not_a_function = [&]() -> base::Result<> {
    if (!has_arguments) return {};
    return wrong("can't give argument to non-function " + first.to_string());
  };
  if (has_arguments && first.names.size() > (first.kind == NodeKind::variable ? 1u : 0u)) {
    TRY(std::optional<Value> called, method(dot, first, whole, final));
    if (called) return *std::move(called);
  }
  switch (first.kind) {
    case NodeKind::field: at_ = &first; return fields(dot, first.names, 0, has_arguments);
    case NodeKind::chain: {
      at_ = &first;
      const Node& inner = *first.children[0];
      if (inner.kind == NodeKind::nil) return wrong("indirection through explicit nil in " + first.to_string());
      TRY(Value value, any_argument(dot, inner));
      return fields(std::move(value), first.names, 0, has_arguments);
    }
    case NodeKind::function: return call_function(dot, first, whole, final);
    case NodeKind::pipe: TRY_VOID(not_a_function()); return pipeline(dot, first);
    case NodeKind::variable: return variable(first, has_arguments);
    default: break;
  }
  at_ = &first;
  TRY_VOID(not_a_function());
  switch (first.kind) {
    case NodeKind::boolean: return Value(first.text == "true");
    case NodeKind::dot: return dot;
    case NodeKind::nil: return wrong("nil is not a command");
    case NodeKind::number: return constant(first);
    case NodeKind::string: return Value(first.value);
    default: return wrong("can't evaluate command " + go::quote(first.to_string()));
  }
}

Interpreter::Answer Interpreter::constant(const Node& node) {
  at_ = &node;
  const bool hex = node.text.size() > 1 && node.text[0] == '0' && (node.text[1] | 0x20) == 'x';
  const bool rune = node.text[0] == '\'';
  const bool real = node.text.find_first_of(hex ? "pP" : ".eEpP") != std::string::npos;
  if (real && !rune) return Value(node.number->real);
  return Value(node.number->integer);
}

Interpreter::Answer Interpreter::variable(const Node& node, bool has_arguments) {
  at_ = &node;
  for (auto it = variables_.rbegin(); it != variables_.rend(); ++it) {
    if (it->first != node.names[0]) continue;
    TRY_VOID(charge(it->second));
    if (node.names.size() > 1) return fields(it->second, node.names, 1, has_arguments);
    if (has_arguments) return wrong("can't give argument to non-function " + node.to_string());
    return it->second;
  }
  return wrong("undefined variable: " + node.names[0]);
}

Interpreter::Answer Interpreter::fields(Value value, const std::vector<std::string>& names, std::size_t from,
                                        bool has_arguments) {
  for (std::size_t i = from; i < names.size(); ++i) {
    // Only the last name of a chain can take arguments.
    TRY(value, field(value, names[i], has_arguments && i + 1 == names.size()));
  }
  return value;
}

Interpreter::Answer Interpreter::field(const Value& value, const std::string& name, bool has_arguments) {
  if (value.is<Nil>() || absent(value)) return Value(Nil{});
  if (const auto* labels = value.as<model::Labels>()) {
    if (has_arguments) return wrong(name + " is not a method but has arguments");
    return Value(std::string(labels->get(name)));
  }
  const auto plain = [&](Value found) -> Answer {
    if (has_arguments) return wrong(name + " has arguments but cannot be invoked as function");
    return found;
  };
  if (const auto* object = value.as<Object>()) {
    if (const Value* found = find_field(*object->rep, name)) return plain(*found);
    if (object->rep->kind == ObjectRep::Kind::map) return plain(std::string(object->rep->labels.get(name)));
  }
  if (value.is<Root>()) {
    if (name == "Labels") return plain(data_.labels);
    if (name == "ExternalLabels") return plain(data_.external_labels);
    if (name == "ExternalURL") return plain(context_.external_url);
    if (name == "Value") return plain(data_.value);
  }
  if (const auto* item = value.as<Item>()) {
    if (name == "Labels") return plain(item->labels);
    if (name == "Value") return plain(item->value);
  }
  if (const auto* list = value.as<Arguments>()) {
    for (std::size_t i = 0; i < list->list.size(); ++i)
      if (name == fmt::format("arg{}", i)) return plain(list->list[i]);
    return Value(Nil{});
  }
  if (const auto* moment = value.as<Moment>(); moment && !has_arguments) return moment_method(*moment, name);
  if (const auto* span = value.as<Span>()) {
    const auto ns = static_cast<double>(span->ns);
    if (name == "Seconds") return Value(ns / 1e9);
    if (name == "Minutes") return Value(ns / 6e10);
    if (name == "Hours") return Value(ns / 3.6e12);
    if (name == "Milliseconds") return Value(span->ns / 1'000'000);
    if (name == "String") return Value(go::duration_string(span->ns));
  }
  return wrong(fmt::format("can't evaluate field {} in type {}", name, type_name(value)));
}

// ---- calls ----

Interpreter::Answer Interpreter::call_function(const Value& dot, const Node& name, const Node& whole,
                                               const Value& final) {
  at_ = &name;
  const Function* function = find_function(name.text, tree_.dialect);
  if (!function) return wrong(go::quote(name.text) + " is not a defined function");
  const bool alone = &name == &whole;  // as an argument without parentheses: no arguments of its own
  const std::size_t given = alone ? 0 : whole.children.size() - 1;
  const std::size_t count = given + (absent(final) ? 0 : 1);
  const std::size_t fixed = function->parameters.size() - (function->variadic ? 1 : 0);
  if (function->variadic && count < fixed)
    return wrong(fmt::format("wrong number of args for {}: want at least {} got {}", name.text, fixed, given));
  if (!function->variadic && count != fixed)
    return wrong(fmt::format("wrong number of args for {}: want {} got {}", name.text, fixed, count));
  if (function->name == "and" || function->name == "or") return short_circuit(dot, *function, whole, final);
  std::vector<Value> values;
  if (alone) {
    if (!absent(final)) values.push_back(final);
  } else {
    TRY(values, arguments(dot, *function, whole, final));
  }
  Answer answer = function->call(values, context_);
  if (!answer) {
    at_ = &whole;
    return wrong(fmt::format("error calling {}: {}", name.text, answer.error().text));
  }
  TRY_VOID(charge(*answer));
  return answer;
}

base::Result<std::vector<Value>> Interpreter::arguments(const Value& dot, const Function& function, const Node& whole,
                                                        const Value& final) {
  const auto type = [&](std::size_t i) { return function.parameters[std::min(i, function.parameters.size() - 1)]; };
  std::vector<Value> values;
  for (std::size_t i = 1; i < whole.children.size(); ++i) {
    TRY(Value value, argument(dot, *whole.children[i], type(i - 1)));
    values.push_back(std::move(value));
  }
  if (!absent(final)) {
    TRY(Value value, checked(final, type(values.size())));
    values.push_back(std::move(value));
  }
  return values;
}

Interpreter::Answer Interpreter::short_circuit(const Value& dot, const Function& function, const Node& whole,
                                               const Value& final) {
  const bool wanted = function.name == "or";
  Value value = Nil{};
  for (std::size_t i = 1; i < whole.children.size(); ++i) {
    TRY(value, argument(dot, *whole.children[i], Parameter::any));
    if (truth(value) == wanted) return value;
  }
  return absent(final) ? value : final;
}

Interpreter::Answer Interpreter::checked(Value value, Parameter type) {
  const bool fits = type == Parameter::any || (type == Parameter::string && value.is<std::string>()) ||
                    (type == Parameter::items && value.is<Items>()) || (type == Parameter::item && value.is<Item>());
  if (fits) return value;
  if (value.is<Nil>() || absent(value)) {
    if (type == Parameter::items) return Value(Items{});
    return wrong(fmt::format("invalid value; expected {}", to_string(type)));
  }
  return wrong(fmt::format("wrong type for value; expected {}; got {}", to_string(type), type_name(value)));
}

Interpreter::Answer Interpreter::argument(const Value& dot, const Node& node, Parameter type) {
  at_ = &node;
  if (type == Parameter::any) return any_argument(dot, node);
  switch (node.kind) {
    case NodeKind::nil:
      if (type == Parameter::items) return Value(Items{});
      return wrong(fmt::format("cannot assign nil to {}", to_string(type)));
    case NodeKind::dot:
    case NodeKind::field:
    case NodeKind::variable:
    case NodeKind::pipe:
    case NodeKind::function:
    case NodeKind::chain: {
      TRY(Value value, any_argument(dot, node));
      return checked(std::move(value), type);
    }
    default: break;
  }
  if (type == Parameter::string) {
    if (node.kind == NodeKind::string) return Value(node.value);
    return wrong("expected string; found " + node.to_string());
  }
  return wrong(fmt::format("can't handle {} for arg of type {}", node.to_string(), to_string(type)));
}

Interpreter::Answer Interpreter::any_argument(const Value& dot, const Node& node) {
  at_ = &node;
  TRY_VOID(step());
  switch (node.kind) {
    case NodeKind::boolean: return Value(node.text == "true");
    case NodeKind::dot: return dot;
    case NodeKind::field: return fields(dot, node.names, 0, false);
    case NodeKind::function: return call_function(dot, node, node, Missing{});
    case NodeKind::nil: return Value(Nil{});
    case NodeKind::number: return constant(node);
    case NodeKind::string: return Value(node.value);
    case NodeKind::variable: return variable(node, false);
    case NodeKind::pipe: return pipeline(dot, node);
    case NodeKind::chain: {
      if (node.children[0]->kind == NodeKind::nil)
        return wrong("indirection through explicit nil in " + node.to_string());
      TRY(Value value, any_argument(dot, *node.children[0]));
      at_ = &node;
      return fields(std::move(value), node.names, 0, false);
    }
    default: return wrong("can't handle assignment of " + node.to_string() + " to empty interface argument");
  }
}

}  // namespace templates
