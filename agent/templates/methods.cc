// Methods of values: of times, and of those that templates of messages see.
#include <fmt/format.h>

#include <algorithm>

#include "go/format.h"
#include "templates/interpreter.h"
#include "templates/object.h"

namespace templates {

base::Result<std::optional<Value>> Interpreter::method(const Value& dot, const Node& first, const Node& whole,
                                                       const Value& final) {
  if (tree_.dialect != Dialect::message || whole.children.size() + (final.is<Missing>() ? 0 : 1) != 2)
    return std::nullopt;
  const std::vector<std::string> before(first.names.begin() + (first.kind == NodeKind::variable ? 1 : 0),
                                        first.names.end() - 1);
  Value of = dot;
  if (first.kind == NodeKind::variable) {
    const auto found = std::find_if(variables_.rbegin(), variables_.rend(),
                                    [&](const auto& variable) { return variable.first == first.names[0]; });
    if (found == variables_.rend()) return std::nullopt;
    of = found->second;
  } else if (first.kind == NodeKind::chain) {
    TRY(of, any_argument(dot, *first.children[0]));
  }
  at_ = &first;
  TRY(of, fields(std::move(of), before, 0, false));
  Value argument = final;
  if (final.is<Missing>()) {
    TRY(argument, any_argument(dot, *whole.children[1]));
  }
  at_ = &first;
  return call_method(of, first.names.back(), argument);
}

base::Result<std::optional<Value>> Interpreter::call_method(const Value& of, const std::string& name,
                                                            const Value& argument) const {
  const auto* object = of.as<Object>();
  const auto* names = argument.as<Object>();
  if (object && object->rep->kind == ObjectRep::Kind::map && name == "Remove") {
    if (names && names->rep->type == "[]string") return without_names(*object->rep, *names->rep);
    return wrong("wrong type for value; expected []string; got " + type_name(argument));
  }
  if (const auto* moment = of.as<Moment>()) {
    const auto* layout = argument.as<std::string>();
    const auto* other = argument.as<Moment>();
    if (name == "Format" && layout) return Value(go::time_format(moment->t, *layout));
    if (name == "Sub" && other)
      return Value(Span{base::to_ms(moment->t) * 1'000'000 - base::to_ms(other->t) * 1'000'000});
    if (name == "After" && other) return Value(moment->t > other->t);
    if (name == "Before" && other) return Value(moment->t < other->t);
  }
  return std::nullopt;
}

Interpreter::Answer Interpreter::moment_method(const Moment& moment, const std::string& name) const {
  // Names and numbers that a layout can print; the rest by hand.
  static constexpr std::pair<const char*, const char*> kNumbers[] = {
      {"Year", "2006"}, {"Day", "2"}, {"Hour", "15"}, {"Minute", "4"}, {"Second", "5"}, {"YearDay", "002"}};
  for (const auto& [method, layout] : kNumbers)
    if (name == method) return Value(static_cast<std::int64_t>(std::stoll(go::time_format(moment.t, layout))));
  if (name == "Month") return Value(go::time_format(moment.t, "January"));
  if (name == "Weekday") return Value(go::time_format(moment.t, "Monday"));
  if (name == "String") return Value(go::time_string(moment.t));
  if (name == "UTC" || name == "Local") return Value(moment);
  const std::int64_t ms = base::to_ms(moment.t);
  if (name == "Unix") return Value(std::chrono::floor<std::chrono::seconds>(moment.t).time_since_epoch().count());
  if (name == "UnixMilli") return Value(ms);
  if (name == "UnixMicro") return Value(ms * 1000);
  if (name == "UnixNano") return Value(ms * 1'000'000);
  if (name == "Nanosecond") return Value((ms % 1000 + 1000) % 1000 * 1'000'000);
  return wrong(fmt::format("can't evaluate field {} in type *time.Time", name));
}

}  // namespace templates
