#include "probe/cel/program.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "encoding/json.h"
#include "encoding/json_value.h"
#include "probe/cel/expression.h"
#include "probe/cel/functions.h"

namespace probe::cel {
namespace {

using Sort = Expression::Kind;

constexpr std::size_t kLongestExpression = 10'000;
constexpr int kMostSteps = 100'000;  // some milliseconds
constexpr int kDeepestDocument = 200;

class Evaluation {
 public:
  explicit Evaluation(Memory& memory) : memory_(memory) {}

  Value document_of(const nlohmann::json& json, int depth = 0) {
    if (depth > kDeepestDocument) return memory_.error("the document is nested too deeply");
    switch (json.type()) {
      case nlohmann::json::value_t::boolean: return Value(json.get<bool>());
      case nlohmann::json::value_t::number_integer:
      case nlohmann::json::value_t::number_unsigned:
      case nlohmann::json::value_t::number_float: return Value(json.get<double>());
      case nlohmann::json::value_t::string: return memory_.string(json.get<std::string>());
      case nlohmann::json::value_t::array: {
        List list;
        list.reserve(json.size());
        for (const auto& item : json) list.push_back(document_of(item, depth + 1));
        return memory_.list(std::move(list));
      }
      case nlohmann::json::value_t::object: {
        Map map;
        for (const auto& [key, value] : json.items()) map.emplace(memory_.string(key), document_of(value, depth + 1));
        return memory_.map(std::move(map));
      }
      default: return {};
    }
  }

  Value of(const Expression& e, const Value& document) {
    document_ = document;
    const Value value = eval(e);
    return steps_ > kMostSteps ? too_long() : value;
  }

 private:
  Value eval(const Expression& e) {
    if (++steps_ > kMostSteps) return too_long();
    switch (e.kind) {
      case Sort::literal: return e.literal;
      case Sort::document: return document_;
      case Sort::variable: return variables_[e.slot];
      case Sort::select: return select(e);
      case Sort::has: return has(e);
      case Sort::index: return index(e);
      case Sort::call: return call(e);
      case Sort::list: return list(e);
      case Sort::map: return map(e);
      case Sort::conditional: return conditional(e);
      case Sort::logical_and: return logic(eval(*e.inner[0]), *e.inner[1], false);
      case Sort::logical_or: return logic(eval(*e.inner[0]), *e.inner[1], true);
      case Sort::all:
      case Sort::exists:
      case Sort::exists_one: return quantified(e);
      case Sort::map_each:
      case Sort::filter: return gathered(e);
    }
    return {};
  }

  Value too_long() { return memory_.error("the expression takes more than 100000 steps"); }

  // `decisive` on either side is the result, whatever the other is: CEL's && and || commute.
  Value logic(const Value& left, const Expression& right_side, bool decisive) {
    if (left.is(Kind::boolean) && left.boolean == decisive) return left;
    return joined(left, eval(right_side), decisive);
  }
  Value joined(const Value& left, const Value& right, bool decisive) {
    for (const Value* side : {&left, &right})
      if (side->is(Kind::boolean) && side->boolean == decisive) return *side;
    for (const Value* side : {&left, &right})
      if (side->is(Kind::error)) return *side;
    if (!left.is(Kind::boolean) || !right.is(Kind::boolean))
      return memory_.error("no such overload: " + std::string(decisive ? "_||_" : "_&&_") + "(" +
                           std::string(name_of(left.kind)) + ", " + std::string(name_of(right.kind)) + ")");
    return Value(!decisive);
  }

  Value select(const Expression& e) {
    const Value from = eval(*e.inner[0]);
    if (from.is(Kind::error)) return from;
    if (!from.is(Kind::map)) return memory_.error("a " + std::string(name_of(from.kind)) + " has no field " + e.text);
    const auto found = from.map->find(Value(std::string_view(e.text)));
    return found == from.map->end() ? memory_.error("no such key: " + e.text) : found->second;
  }

  Value has(const Expression& e) {
    const Value from = eval(*e.inner[0]);
    if (from.is(Kind::error)) return from;
    if (!from.is(Kind::map)) return memory_.error("a " + std::string(name_of(from.kind)) + " has no field " + e.text);
    return Value(from.map->contains(Value(std::string_view(e.text))));
  }

  Value index(const Expression& e) {
    const Value from = eval(*e.inner[0]);
    if (from.is(Kind::error)) return from;
    const Value at = eval(*e.inner[1]);
    if (at.is(Kind::error)) return at;
    if (from.is(Kind::map)) {
      const auto found = from.map->find(at);
      return found == from.map->end() ? memory_.error("no such key: " + shown(at)) : found->second;
    }
    if (!from.is(Kind::list) || !at.is_number())
      return memory_.error("no such overload: _[_](" + std::string(name_of(from.kind)) + ", " +
                           std::string(name_of(at.kind)) + ")");
    const auto size = static_cast<std::int64_t>(from.list->size());
    if (compare(at, Value(std::int64_t{0})) < 0 || compare(at, Value(size)) >= 0 ||
        (at.is(Kind::real) && at.real != std::trunc(at.real)))
      return memory_.error("index out of bounds: " + shown(at));
    const std::size_t place = at.is(Kind::real)      ? static_cast<std::size_t>(at.real)
                              : at.is(Kind::integer) ? static_cast<std::size_t>(at.integer)
                                                     : at.unsigned_integer;
    return (*from.list)[place];
  }

  Value call(const Expression& e) {
    Value arguments[2];
    for (std::size_t i = 0; i < e.inner.size(); ++i) {
      arguments[i] = eval(*e.inner[i]);
      if (arguments[i].is(Kind::error)) return arguments[i];
    }
    // What goes through a whole list or text costs as much.
    for (const Value& each : arguments) steps_ += weight(each);
    return apply(e.function, arguments[0], arguments[1], e.regex ? &*e.regex : nullptr, memory_);
  }
  static int weight(const Value& value) {
    const std::size_t size = value.is(Kind::list)     ? value.list->size()
                             : value.is(Kind::map)    ? value.map->size()
                             : value.is(Kind::string) ? value.text.size() / 64
                                                      : 0;
    return static_cast<int>(std::min<std::size_t>(size, kMostSteps));
  }

  Value list(const Expression& e) {
    List list;
    for (const auto& item : e.inner) {
      list.push_back(eval(*item));
      if (list.back().is(Kind::error)) return list.back();
    }
    return memory_.list(std::move(list));
  }

  Value map(const Expression& e) {
    Map map;
    for (std::size_t i = 0; i + 1 < e.inner.size(); i += 2) {
      const Value key = eval(*e.inner[i]);
      const Value value = eval(*e.inner[i + 1]);
      for (const Value& each : {key, value})
        if (each.is(Kind::error)) return each;
      const bool fit =
          key.is(Kind::boolean) || key.is(Kind::integer) || key.is(Kind::unsigned_integer) || key.is(Kind::string);
      if (!fit) return memory_.error("a " + std::string(name_of(key.kind)) + " is no key of a map");
      if (!map.emplace(key, value).second) return memory_.error("the key " + shown(key) + " stands twice in a map");
    }
    return memory_.map(std::move(map));
  }

  Value conditional(const Expression& e) {
    const Value condition = eval(*e.inner[0]);
    if (condition.is(Kind::error)) return condition;
    if (!condition.is(Kind::boolean))
      return memory_.error("no such overload: _?_:_(" + std::string(name_of(condition.kind)) + ")");
    return eval(*e.inner[condition.boolean ? 1 : 2]);
  }

  // The items of a list, the keys of a map. False: it is neither; `range` is an error then.
  bool items_of(Value& range, List& items) {
    if (range.is(Kind::list)) {
      items = *range.list;
    } else if (range.is(Kind::map)) {
      for (const auto& [key, value] : *range.map) items.push_back(key);
    } else {
      if (!range.is(Kind::error))
        range = memory_.error("a macro goes through a list or a map, not a " + std::string(name_of(range.kind)));
      return false;
    }
    return true;
  }

  Value with(std::size_t slot, const Value& item, const Expression& e) {
    if (variables_.size() <= slot) variables_.resize(slot + 1);
    variables_[slot] = item;
    return eval(e);
  }

  Value quantified(const Expression& e) {
    Value range = eval(*e.inner[0]);
    List items;
    if (!items_of(range, items)) return range;
    const bool decisive = e.kind == Sort::exists;
    Value found(!decisive);
    std::int64_t count = 0;
    for (const Value& item : items) {
      const Value one = with(e.slot, item, *e.inner[1]);
      if (steps_ > kMostSteps) return too_long();
      if (e.kind != Sort::exists_one) {
        found = joined(found, one, decisive);
        if (found.is(Kind::boolean) && found.boolean == decisive) return found;
        continue;
      }
      if (!one.is(Kind::boolean)) return one.is(Kind::error) ? one : no_predicate(one);
      count += one.boolean ? 1 : 0;
    }
    return e.kind == Sort::exists_one ? Value(count == 1) : found;
  }

  Value gathered(const Expression& e) {
    Value range = eval(*e.inner[0]);
    List items, out;
    if (!items_of(range, items)) return range;
    const bool selects = e.kind == Sort::filter || e.inner.size() == 3;
    for (const Value& item : items) {
      Value one = with(e.slot, item, *e.inner[1]);
      if (one.is(Kind::error)) return one;
      if (selects) {
        if (!one.is(Kind::boolean)) return no_predicate(one);
        if (!one.boolean) continue;
        one = e.kind == Sort::filter ? item : with(e.slot, item, *e.inner[2]);
        if (one.is(Kind::error)) return one;
      }
      out.push_back(one);
    }
    return memory_.list(std::move(out));
  }

  Value no_predicate(const Value& got) {
    return memory_.error("the predicate of a macro is a " + std::string(name_of(got.kind)) + ", not a bool");
  }

  Memory& memory_;
  Value document_;
  List variables_;
  int steps_ = 0;
};

}  // namespace

Program::Program(std::string text, std::unique_ptr<const Expression> expression)
    : text_(std::move(text)), expression_(std::move(expression)) {}
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;
Program::~Program() = default;

tl::expected<Program, ParseError> Program::compile(std::string text) {
  if (text.size() > kLongestExpression)
    return tl::unexpected<ParseError>({kLongestExpression, "the expression is longer than 10000 characters"});
  try {
    auto expression = parse(text, "body");
    return Program(std::move(text), std::move(expression));
  } catch (const ParseError& mistake) {
    return tl::unexpected<ParseError>(mistake);
  }
}

Answer Program::evaluate(std::string_view json_body) const {
  if (encoding::shape_of(json_body).values > encoding::kMostValues)
    return {std::nullopt, "error: the body has too many values"};
  const nlohmann::json json = nlohmann::json::parse(encoding::readable_json(json_body), nullptr, false);
  if (json.is_discarded()) return {std::nullopt, "error: the body is no JSON"};
  Memory memory;
  Evaluation evaluation(memory);
  const Value value = evaluation.of(*expression_, evaluation.document_of(json));
  return {value.is(Kind::boolean) ? std::optional(value.boolean) : std::nullopt, shown(value)};
}

}  // namespace probe::cel
