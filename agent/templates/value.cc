#include "templates/value.h"

#include "templates/object.h"

namespace templates {
namespace {

template <typename... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <typename... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace

std::string type_name(const Value& value) {
  if (const auto* object = value.as<Object>()) return object->rep->type;
  static const char* const names[] = {
      "<nil>",
      "<nil>",
      "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value float64 }",
      "bool",
      "int",
      "float64",
      "string",
      "template.HTML",
      "map[string]string",
      "*template.sample",
      "template.queryResult",
      "*time.Time",
      "*time.Duration",
      "map[string]interface {}"};
  return names[value.index()];
}

std::size_t weight(const Value& value) {
  std::size_t bytes = sizeof(Value);
  if (const auto* s = value.as<std::string>()) bytes += s->size();
  if (const auto* h = value.as<Html>()) bytes += h->text.size();
  if (const auto* items = value.as<Items>()) bytes += items->list.size() * sizeof(Item);
  if (const auto* arguments = value.as<Arguments>())
    for (const Value& one : arguments->list) bytes += weight(one);
  return bytes;
}

bool truth(const Value& value) {
  return std::visit(
      Overloaded{[](const Nil&) { return false; }, [](const Missing&) { return false; },
                 [](const Root&) { return true; }, [](bool b) { return b; }, [](std::int64_t n) { return n != 0; },
                 [](double d) { return d != 0; }, [](const std::string& s) { return !s.empty(); },
                 [](const Html& h) { return !h.text.empty(); },
                 [](const model::Labels& labels) { return !labels.empty(); }, [](const Item&) { return true; },
                 [](const Items& items) { return !items.list.empty(); }, [](const Moment&) { return true; },
                 [](const Span&) { return true; }, [](const Arguments& a) { return !a.list.empty(); },
                 [](const Object& o) { return o.rep->kind == ObjectRep::Kind::structure || !o.rep->elements.empty(); }},
      static_cast<const Value::variant&>(value));
}

}  // namespace templates
