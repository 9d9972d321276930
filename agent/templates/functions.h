// The functions of templates: Go's builtins and Prometheus' own, with their Go signatures, so that calls go wrong with
// Go's words.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "promql/compat.h"
#include "promql/value.h"
#include "templates/value.h"

namespace templates {

// What an expansion may ask of the world.
struct TemplateContext {
  std::string external_url;
  std::int64_t now_ms = 0;
  std::function<base::Result<promql::Vector>(const std::string& expression)> query;
  promql::Compat compat = promql::Compat::v3;  // 3: title and range as in Prometheus 3
};

enum class Parameter { any, string, items, item };

struct Function {
  std::string_view name;
  std::vector<Parameter> parameters;
  bool variadic = false;  // the last parameter any number of times
  base::Result<Value> (*call)(const std::vector<Value>& arguments, const TemplateContext& context);
};

// Whose templates: those of rules, as Prometheus 3 and as 2.42 has them, or Alertmanager's of messages.
enum class Dialect { rule, rule_2, message };
const Function* find_function(std::string_view name, Dialect dialect);
std::string_view to_string(Parameter parameter);  // Go's name of the type

}  // namespace templates
