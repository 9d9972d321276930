#include "templates/builtins.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/percent.h"
#include "go/format.h"
#include "templates/object.h"
#include "templates/print.h"

namespace templates {
namespace {

using List = const std::vector<Value>&;
using Answer = base::Result<Value>;

tl::unexpected<base::Error> wrong(std::string text) { return base::fail(base::Kind::invalid, std::move(text)); }

bool is_nil(const Value& v) { return v.is<Nil>() || v.is<Missing>(); }

// ---- comparison ----

enum class Basic { boolean, integer, real, text, other };

Basic basic(const Value& v) {
  if (v.is<bool>()) return Basic::boolean;
  if (v.is<std::int64_t>()) return Basic::integer;
  if (v.is<double>()) return Basic::real;
  if (v.is<std::string>() || v.is<Html>()) return Basic::text;
  return Basic::other;
}
const std::string& text_of(const Value& v) { return v.is<Html>() ? v.as<Html>()->text : *v.as<std::string>(); }
bool comparable(const Value& v) {
  return !v.is<model::Labels>() && !v.is<Items>() && !v.is<Arguments>() && !v.is<Root>() && !v.is<Object>();
}

tl::unexpected<base::Error> mixed(const Value& a, const Value& b, const TemplateContext& context) {
  const std::string text = "incompatible types for comparison";
  if (context.compat == promql::Compat::v2) return wrong(text);
  return wrong(fmt::format("{}: {} and {}", text, type_name(a), type_name(b)));
}

base::Result<bool> equal(const Value& a, const Value& b, const TemplateContext& context) {
  if (!is_nil(a) && !comparable(a)) return wrong(fmt::format("uncomparable type {}: {}", type_name(a), print_value(a)));
  const Basic ka = basic(a), kb = basic(b);
  if (is_nil(a) || is_nil(b)) return is_nil(a) && is_nil(b);
  if (ka != kb) return mixed(a, b, context);
  switch (ka) {
    case Basic::boolean: return *a.as<bool>() == *b.as<bool>();
    case Basic::integer: return *a.as<std::int64_t>() == *b.as<std::int64_t>();
    case Basic::real: return *a.as<double>() == *b.as<double>();
    case Basic::text: return text_of(a) == text_of(b);
    case Basic::other: break;
  }
  if (!comparable(b)) return wrong(fmt::format("uncomparable type {}: {}", type_name(b), print_value(b)));
  return false;  // pointers: two of them are never the same here
}

base::Result<bool> less(const Value& a, const Value& b, const TemplateContext& context) {
  const Basic ka = basic(a), kb = basic(b);
  if (ka == Basic::other || kb == Basic::other) return wrong("invalid type for comparison");
  if (ka != kb) return mixed(a, b, context);
  switch (ka) {
    case Basic::integer: return *a.as<std::int64_t>() < *b.as<std::int64_t>();
    case Basic::real: return *a.as<double>() < *b.as<double>();
    case Basic::text: return text_of(a) < text_of(b);
    default: return wrong("invalid type for comparison");
  }
}

base::Result<bool> less_or_equal(const Value& a, const Value& b, const TemplateContext& context) {
  TRY(const bool smaller, less(a, b, context));
  if (smaller) return true;
  return equal(a, b, context);
}

Answer eq(List a, const TemplateContext& context) {
  if (a.size() == 1) return wrong("missing argument for comparison");
  for (std::size_t i = 1; i < a.size(); ++i) {
    TRY(const bool same, equal(a[0], a[i], context));
    if (same) return Value(true);
  }
  return Value(false);
}
Answer ne(List a, const TemplateContext& context) {
  TRY(const bool same, equal(a[0], a[1], context));
  return Value(!same);
}
Answer lt(List a, const TemplateContext& context) {
  TRY(const bool yes, less(a[0], a[1], context));
  return Value(yes);
}
Answer le(List a, const TemplateContext& context) {
  TRY(const bool yes, less_or_equal(a[0], a[1], context));
  return Value(yes);
}
// As in Go the opposite of <= and of <, so that NaN is greater than everything.
Answer gt(List a, const TemplateContext& context) {
  TRY(const bool yes, less_or_equal(a[0], a[1], context));
  return Value(!yes);
}
Answer ge(List a, const TemplateContext& context) {
  TRY(const bool yes, less(a[0], a[1], context));
  return Value(!yes);
}

// ---- logic; the interpreter stops evaluating arguments as soon as the answer is known ----

Answer logical_and(List a, const TemplateContext&) {
  for (const Value& v : a)
    if (!truth(v)) return v;
  return a.back();
}
Answer logical_or(List a, const TemplateContext&) {
  for (const Value& v : a)
    if (truth(v)) return v;
  return a.back();
}
Answer logical_not(List a, const TemplateContext&) { return Value(!truth(a[0])); }

// ---- parts of values ----

base::Result<std::size_t> position(const Value& v, std::size_t size, const char* what) {
  if (is_nil(v)) return wrong(fmt::format("cannot index {} with nil", what));
  const auto* n = v.as<std::int64_t>();
  if (!n) return wrong(fmt::format("cannot index slice/array with type {}", type_name(v)));
  if (*n < 0 || static_cast<std::uint64_t>(*n) >= size) return wrong(fmt::format("index out of range: {}", *n));
  return static_cast<std::size_t>(*n);
}

base::Result<const std::string*> map_key(const Value& v) {
  if (is_nil(v)) return wrong("value is nil; should be of type string");
  const auto* key = v.as<std::string>();
  if (!key) return wrong(fmt::format("value has type {}; should be string", type_name(v)));
  return key;
}

Answer element(const Value& of, const Value& at) {
  if (is_nil(of)) return wrong("index of untyped nil");
  if (const auto* labels = of.as<model::Labels>()) {
    TRY(const std::string* key, map_key(at));
    return Value(std::string(labels->get(*key)));
  }
  if (const auto* arguments = of.as<Arguments>()) {
    TRY(const std::string* key, map_key(at));
    for (std::size_t i = 0; i < arguments->list.size(); ++i)
      if (*key == fmt::format("arg{}", i)) return arguments->list[i];
    return Value(Nil{});
  }
  if (const auto* object = of.as<Object>(); object && object->rep->kind == ObjectRep::Kind::list) {
    TRY(const std::size_t i, position(at, object->rep->elements.size(), "slice/array"));
    return object->rep->elements[i].second;
  }
  if (const auto* object = of.as<Object>(); object && object->rep->kind == ObjectRep::Kind::map) {
    TRY(const std::string* key, map_key(at));
    return Value(std::string(object->rep->labels.get(*key)));
  }
  if (const auto* items = of.as<Items>()) {
    TRY(const std::size_t i, position(at, items->list.size(), "slice/array"));
    return Value(items->list[i]);
  }
  if (of.is<std::string>() || of.is<Html>()) {
    TRY(const std::size_t i, position(at, text_of(of).size(), "slice/array"));
    return Value(static_cast<std::int64_t>(static_cast<unsigned char>(text_of(of)[i])));
  }
  return wrong(fmt::format("can't index item of type {}", type_name(of)));
}

Answer index(List a, const TemplateContext&) {
  if (is_nil(a[0])) return wrong("index of untyped nil");
  Value value = a[0];
  for (std::size_t i = 1; i < a.size(); ++i) {
    TRY(Value inner, element(value, a[i]));
    value = std::move(inner);
  }
  return value;
}

Answer slice(List a, const TemplateContext&) {
  if (is_nil(a[0])) return wrong("slice of untyped nil");
  if (a.size() > 4) return wrong(fmt::format("too many slice indexes: {}", a.size() - 1));
  const bool is_text = a[0].is<std::string>() || a[0].is<Html>();
  const auto* items = a[0].as<Items>();
  if (is_text && a.size() == 4) return wrong("cannot 3-index slice a string");
  if (!is_text && !items) return wrong(fmt::format("can't slice item of type {}", type_name(a[0])));
  const std::size_t size = is_text ? text_of(a[0]).size() : items->list.size();
  std::size_t bounds[3] = {0, size, size};
  for (std::size_t i = 1; i < a.size(); ++i) {
    TRY(const std::size_t bound, position(a[i], size + 1, "slice/array"));
    bounds[i - 1] = bound;
  }
  if (bounds[0] > bounds[1]) return wrong(fmt::format("invalid slice index: {} > {}", bounds[0], bounds[1]));
  if (a.size() == 4 && bounds[1] > bounds[2])
    return wrong(fmt::format("invalid slice index: {} > {}", bounds[1], bounds[2]));
  if (is_text) return Value(text_of(a[0]).substr(bounds[0], bounds[1] - bounds[0]));
  Items part;
  part.list.assign(items->list.begin() + static_cast<long>(bounds[0]),
                   items->list.begin() + static_cast<long>(bounds[1]));
  return Value(std::move(part));
}

Answer len(List a, const TemplateContext&) {
  const auto size = [](std::size_t n) { return Value(static_cast<std::int64_t>(n)); };
  if (a[0].is<std::string>() || a[0].is<Html>()) return size(text_of(a[0]).size());
  if (const auto* labels = a[0].as<model::Labels>()) return size(labels->size());
  if (const auto* items = a[0].as<Items>()) return size(items->list.size());
  if (const auto* arguments = a[0].as<Arguments>()) return size(arguments->list.size());
  if (const auto* object = a[0].as<Object>(); object && object->rep->kind != ObjectRep::Kind::structure)
    return size(object->rep->elements.size());
  if (is_nil(a[0])) return wrong("len of nil pointer");
  return wrong(fmt::format("len of type {}", type_name(a[0])));
}

Answer call(List a, const TemplateContext&) {
  if (is_nil(a[0])) return wrong("call of nil");
  return wrong(fmt::format("non-function of type {}", type_name(a[0])));
}

// ---- printing and escaping ----

// One string as it is, anything else as print would show it, but for a sample, which is no pointer here.
std::string joined(List a) {
  if (a.size() == 1 && a[0].is<std::string>()) return *a[0].as<std::string>();
  if (a.size() == 1 && a[0].is<Item>()) return print_value(a[0]).substr(1);
  return sprint(a);
}

Answer print(List a, const TemplateContext&) { return Value(sprint(a)); }
Answer println(List a, const TemplateContext&) { return Value(sprintln(a)); }
Answer printf(List a, const TemplateContext&) {
  return Value(sprintf(*a[0].as<std::string>(), {a.begin() + 1, a.end()}));
}
Answer urlquery(List a, const TemplateContext&) { return Value(base::form_encode(joined(a))); }

Answer html(List a, const TemplateContext&) { return Value(html_escaped(joined(a))); }

Answer js(List a, const TemplateContext&) {
  std::string out;
  for (const char c : joined(a)) {
    if (c == '\\' || c == '\'' || c == '"') out += '\\', out += c;
    else if (std::string_view("<>&=").find(c) != std::string_view::npos || (c >= 0 && c < ' '))
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    else out += c;
  }
  return Value(std::move(out));
}

using P = Parameter;
const Function kBuiltins[] = {
    {"and", {P::any, P::any}, true, logical_and},
    {"call", {P::any, P::any}, true, call},
    {"eq", {P::any, P::any}, true, eq},
    {"ge", {P::any, P::any}, false, ge},
    {"gt", {P::any, P::any}, false, gt},
    {"html", {P::any}, true, html},
    {"index", {P::any, P::any}, true, index},
    {"js", {P::any}, true, js},
    {"le", {P::any, P::any}, false, le},
    {"len", {P::any}, false, len},
    {"lt", {P::any, P::any}, false, lt},
    {"ne", {P::any, P::any}, false, ne},
    {"not", {P::any}, false, logical_not},
    {"or", {P::any, P::any}, true, logical_or},
    {"print", {P::any}, true, print},
    {"printf", {P::string, P::any}, true, printf},
    {"println", {P::any}, true, println},
    {"slice", {P::any, P::any}, true, slice},
    {"urlquery", {P::any}, true, urlquery},
};

}  // namespace

std::span<const Function> builtin_functions() { return kBuiltins; }

}  // namespace templates
